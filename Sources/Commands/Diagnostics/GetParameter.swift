internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/getParameter/

extension CommandTable {
    /// Shows the named parameters, or all of them. Names that do not exist are passed over as long as one does.
    @Sendable static func getParameter(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let selection = try request.withCommandValue(of: "getParameter") { argument throws(CommandError) in
            try ParameterSelection(argument)
        }
        let shown = try selection.parameters(namedIn: request)
        return CommandReply { builder in
            for parameter in shown {
                builder.write(parameter, context.server, withDetails: selection.showsDetails)
            }
        }
    }
}

/// The value of `getParameter`: `"*"`, a document of options, or anything else, which says nothing.
private struct ParameterSelection {
    private(set) var showsAll = false
    private(set) var showsDetails = false
    /// `setAt`: only those that may be set then.
    private var isSettable: (@Sendable (ServerParameter) -> Bool)?

    init(_ argument: Argument) throws(CommandError) {
        showsAll = argument.value.string == "*"
        guard let options = argument.value.document else { return }
        for field in options {
            let option = Argument(command: "getParameter", key: field.key, value: field.value)
            switch field.key {
            case "allParameters": showsAll = try option.isOmitted ? false : option.lenientBool()
            case "showDetails": showsDetails = try option.isOmitted ? false : option.lenientBool()
            case "setAt": isSettable = try option.isOmitted ? nil : Self.filter(option)
            default: throw option.unknownField()
            }
        }
    }

    private static func filter(_ option: Argument) throws(CommandError) -> @Sendable (ServerParameter) -> Bool {
        switch try option.string() {
        case "runtime": { $0.isSettableAtRuntime }
        // No parameter is set at the start by its MongoDB name: the command line has names of its own.
        case "startup": { _ in false }
        case let other:
            throw CommandError(
                .badValue, "Enumeration value '\(other)' for field 'getParameter.setAt' is not a valid value.")
        }
    }

    func parameters(namedIn request: CommandRequest) throws(CommandError) -> [ServerParameter] {
        // The filter is for lists; a parameter that is asked for by its name is shown.
        if showsAll { return ServerParameter.all.filter { isSettable?($0) ?? true } }
        var named: [ServerParameter] = []
        try request.forEachArgument(of: "getParameter") { argument throws(CommandError) in
            guard let parameter = ServerParameter.named(argument.key) else { return }
            if !named.contains(where: { argument.key == $0.name }) { named.append(parameter) }
        }
        guard !named.isEmpty else { throw CommandError(.invalidOptions, "no option found to get") }
        return named
    }
}

extension DocumentBuilder {
    fileprivate mutating func write(_ parameter: ServerParameter, _ server: ServerState, withDetails: Bool) {
        guard withDetails else { return append(parameter.name, parameter.read(server)) }
        beginDocument(parameter.name)
        append("value", parameter.read(server))
        append("settableAtRuntime", bool: parameter.isSettableAtRuntime)
        append("settableAtStartup", bool: false)
        end()
    }
}
