internal import BSON
internal import CommandModel

// What the commands about the server have in common in how they read their arguments.

extension CommandRequest {
    /// Refuses every field that is the command's own.
    func takesNoArguments(_ command: StaticString) throws(CommandError) {
        try forEachArgument(of: command) { argument throws(CommandError) in throw argument.unknownField() }
    }

    /// The value beside the command's name, for the commands where it is an argument.
    func withCommandValue<R>(
        of command: StaticString, _ body: (Argument) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        try self.body.withRaw { raw throws(CommandError) in
            var fields = raw.makeIterator()
            guard let field = fields.next() else { throw .missingField("\(command).\(command)") }
            return try body(Argument(command: command, key: field.key, value: field.value))
        }
    }
}

extension Argument {
    func requireValue() throws(CommandError) {
        if isOmitted { throw .missingField(name) }
    }
}

extension RawValue {
    /// How MongoDB reads a switch of any type: zero, false, null and undefined are off, all else is on.
    var isOn: Bool {
        switch type {
        case .null, .undefined: false
        case .bool: bool ?? false
        default: number.map { !$0.isZero } ?? true
        }
    }
}
