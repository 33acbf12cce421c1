/// What this process takes of the machine's memory now, in bytes.
package struct ProcessMemory: Sendable {
    package let resident: Int64
    package let virtual: Int64

    /// nil where the system does not tell.
    package static var current: ProcessMemory? {
        let pages = SystemFile.text("/proc/self/statm")?.split(separator: " ").prefix(2).compactMap { Int64($0) } ?? []
        guard pages.count == 2 else { return nil }
        let size = HostFacts.current.memory.pageSize
        return ProcessMemory(resident: pages[1] &* size, virtual: pages[0] &* size)
    }
}
