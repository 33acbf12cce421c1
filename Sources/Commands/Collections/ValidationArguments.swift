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
        _ = try restrictedFilter()
        return true
    }

    func checkValidationLevel() throws(CommandError) {
        _ = try word(of: ["off", "strict", "moderate"])
    }

    func checkValidationAction() throws(CommandError) {
        _ = try word(of: ["error", "warn", "errorAndLog"])
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
