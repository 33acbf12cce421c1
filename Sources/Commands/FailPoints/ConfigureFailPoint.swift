internal import BSON
internal import CommandModel
internal import Logging

// specifications/source/transactions/tests/legacy-test-format.md

extension CommandTable {
    static let testCommands: [Entry] = [
        entry(
            "configureFailPoint", "makes commands fail, for tests", adminOnly: true, testsOnly: true,
            configureFailPoint)
    ]

    @Sendable static func configureFailPoint(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard let failPoints = context.server.failPoints else {
            throw CommandError(.commandNotFound, "no such command: 'configureFailPoint'")
        }
        let name = try failPointName(request)
        var state: FailPointMode.State?
        var data = FailPointData()
        try request.forEachArgument(of: "configureFailPoint") { argument throws(CommandError) in
            switch argument.key {
            case "mode": state = try FailPointMode.State(argument)
            case "data":
                guard let document = argument.value.document else { throw argument.wrongType(expected: "object") }
                data = try FailPointData(document)
            default: throw argument.unknownField()
            }
        }
        guard let state else { throw .missingField("configureFailPoint.mode") }
        let count = failPoints.configure(name, state, data)
        context.logger.notice("fail point set", metadata: ["name": "\(name)", "mode": "\(state)"])
        return CommandReply { $0.append("count", int64: count) }
    }

    private static func failPointName(_ request: CommandRequest) throws(CommandError) -> FailPoints.Name {
        try request.withCommandValue(of: "configureFailPoint") { argument throws(CommandError) in
            let word = try argument.string()
            guard let name = FailPoints.Name(rawValue: word) else {
                throw CommandError(ErrorCode(175, "FailPointSetFailed"), "there is no fail point '\(word)'")
            }
            return name
        }
    }
}
