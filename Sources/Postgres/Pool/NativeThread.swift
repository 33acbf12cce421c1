#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A thread of the operating system, for code that blocks.
//
// Safety: pthread_t is a handle that any thread may join.
struct NativeThread: @unchecked Sendable {
    private let handle: pthread_t

    /// Workers match documents, which recurse as deep as BSON may nest. Only what is touched takes memory.
    private static let stackByteCount = 8 << 20

    /// Starts `body` on a new thread; nil when the system has none to give.
    static func start(name: String, niceIncrement: Int32 = 0, _ body: @escaping @Sendable () -> Void) -> NativeThread? {
        let main = ThreadMain(name: name, niceIncrement: niceIncrement, body: body)
        let argument = Unmanaged.passRetained(main)
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        pthread_attr_init(attributes)
        pthread_attr_setstacksize(attributes, stackByteCount)
        defer {
            pthread_attr_destroy(attributes)
            attributes.deallocate()
        }
        #if canImport(Glibc)
            var handle = pthread_t()
        #else
            var handle: pthread_t?
        #endif
        let outcome = pthread_create(
            &handle, attributes,
            { argument in
                #if canImport(Glibc)
                    guard let argument else { return nil }
                #endif
                Unmanaged<ThreadMain>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        guard outcome == 0 else {
            argument.release()
            return nil
        }
        #if canImport(Glibc)
            return NativeThread(handle: handle)
        #else
            return handle.map(NativeThread.init(handle:))
        #endif
    }

    /// Waits for the end. Once per thread: either this or ``detach()``.
    func join() {
        pthread_join(handle, nil)
    }

    func detach() {
        pthread_detach(handle)
    }
}

private final class ThreadMain: Sendable {
    let name: String
    let niceIncrement: Int32
    let body: @Sendable () -> Void

    init(name: String, niceIncrement: Int32, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.niceIncrement = niceIncrement
        self.body = body
    }

    func run() {
        #if canImport(Glibc)
            nameThread()
            // On Linux niceness belongs to the thread, whatever POSIX says.
            if niceIncrement != 0 { _ = nice(niceIncrement) }
        #endif
        body()
    }

    /// For `top -H` and debuggers. The call with that purpose is one of the GNU extensions that Swift does not see.
    private func nameThread() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        let bytes = Array(name.utf8.prefix(15))
        _ = write(file, bytes, bytes.count)
        close(file)
    }
}
