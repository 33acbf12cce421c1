internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/hostInfo/

extension CommandTable {
    @Sendable static func hostInfo(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("hostInfo")
        let facts = HostFacts.current
        return CommandReply { builder in
            builder.beginDocument("system")
            builder.append("currentTime", date: ClusterClock.wallMilliseconds())
            builder.append("hostname", string: context.server.identity.hostName)
            facts.writeSystem(into: &builder)
            builder.end()
            builder.beginDocument("os")
            facts.writeOperatingSystem(into: &builder)
            builder.end()
            builder.beginDocument("extra")
            facts.writeExtra(into: &builder)
            builder.end()
        }
    }
}

extension HostFacts {
    private static let megabyte: Int64 = 1 << 20

    fileprivate func writeSystem(into builder: inout DocumentBuilder) {
        builder.append("cpuAddrSize", int32: Int32(Int.bitWidth))
        builder.append("memSizeMB", int64: memory.size / Self.megabyte)
        builder.append("memLimitMB", int64: memory.limit / Self.megabyte)
        builder.append("numCores", int32: Int32(clamping: processor.logicalCores))
        builder.append("numCoresAvailableToProcess", int32: Int32(clamping: processor.availableCores))
        builder.append("numPhysicalCores", int32: Int32(clamping: processor.physicalCores))
        builder.append("numCpuSockets", int32: Int32(clamping: processor.sockets))
        builder.append("cpuArch", string: system.machine)
        builder.append("numaEnabled", bool: processor.numaNodes > 1)
        builder.append("numNumaNodes", int32: Int32(clamping: processor.numaNodes))
    }

    fileprivate func writeOperatingSystem(into builder: inout DocumentBuilder) {
        builder.append("type", string: system.kernel)
        builder.append("name", string: release["NAME"] ?? system.kernel)
        builder.append("version", string: release["VERSION_ID"] ?? system.release)
    }

    fileprivate func writeExtra(into builder: inout DocumentBuilder) {
        builder.append("versionString", string: versionString)
        if !libcVersion.isEmpty { builder.append("libcVersion", string: libcVersion) }
        builder.append("kernelVersion", string: system.release)
        builder.append("cpuFrequencyMHz", string: processor.frequencyMHz)
        builder.append("cpuFeatures", string: processor.features)
        builder.append("cpuString", string: processor.model)
        builder.append("pageSize", int64: memory.pageSize)
        builder.append("numPages", narrowest: memory.pages)
        builder.append("maxOpenFiles", narrowest: openFilesMax)
    }
}
