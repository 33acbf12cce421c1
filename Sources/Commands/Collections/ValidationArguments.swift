internal import BSON
internal import CommandModel

// `validator`, `validationLevel` and `validationAction`, the same in `create` and `collMod`.

extension Argument {
    /// - Returns: whether it restricts anything.
    func checkValidator(of namespace: Namespace) throws(CommandError) -> Bool {
        let validator = try document()
        guard !validator.isEmpty else { return false }
        let isForbidden =
            namespace.collection.utf8.starts(with: "system.".utf8)
            || ["admin", "local", "config"].contains(namespace.database)
        guard !isForbidden else {
            throw CommandError(
                .invalidOptions, "Document validators are not allowed on system collections or in \(namespace.database)"
            )
        }
        try checkRules()
        return true
    }

    func checkValidationLevel() throws(CommandError) {
        _ = try word(of: ["off", "strict", "moderate"])
    }

    func checkValidationAction() throws(CommandError) {
        _ = try word(of: ["error", "warn", "errorAndLog"])
    }
}

/// What `collMod` changes of the three.
struct ValidationChange {
    private static let names: [StaticString] = ["validator", "validationLevel", "validationAction"]
    private var values: [String: Value] = [:]

    /// - Parameter argument: one of the three, checked.
    mutating func take(_ argument: Argument) {
        values[argument.key.string] = Value(copying: argument.value)
    }

    /// Puts the new values among the options of a collection, the three at the end, as `create` does; an empty
    /// validator takes the present one away. nil for no change.
    var change: (@Sendable (Document) -> Document)? {
        if values.isEmpty { return nil }
        return { [values] options in
            options.withRaw { raw in
                Document { builder in
                    for field in raw where !Self.names.contains(where: { field.key == $0 }) { builder.append(field) }
                    for name in Self.names {
                        guard let value = values["\(name)"] ?? raw[name].map(Value.init(copying:)) else { continue }
                        if value.type == .document, Document(unchecked: value.buffer).isEmpty { continue }
                        builder.append(name, value)
                    }
                }
            }
        }
    }
}

extension Argument {
    /// `{enabled: bool}`
    func preImagesEnabled() throws(CommandError) -> Bool {
        var isEnabled: Bool?
        try forEachField(named: "changeStreamPreAndPostImages") { option throws(CommandError) in
            guard option.key == "enabled" else { throw option.unknownField() }
            isEnabled = try option.ifPresent(Argument.bool)
        }
        guard let isEnabled else { throw .missingField("changeStreamPreAndPostImages.enabled") }
        return isEnabled
    }
}
