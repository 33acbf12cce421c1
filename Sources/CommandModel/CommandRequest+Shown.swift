package import BSON

// A command as it may be shown to others, and written to logs: without the secrets of those that carry some.
extension CommandRequest {
    /// Passwords, and what proves that somebody knows one.
    private static let secretFields: [String: Set<String>] = [
        "createUser": ["pwd"], "updateUser": ["pwd"], "saslStart": ["payload"], "saslContinue": ["payload"],
        "authenticate": ["key", "nonce", "pwd"],
        "hello": ["speculativeAuthenticate"], "isMaster": ["speculativeAuthenticate"],
        "ismaster": ["speculativeAuthenticate"],
    ]

    /// The body; for a command that holds secrets a copy without them, also within a command that explains it.
    package var shownBody: Document {
        guard let redactor = Redactor(of: name) else { return body }
        return body.withRaw { redactor.redacted($0) }
    }

    /// In the shell's notation, not longer than a message should be.
    package var shownText: String { shownBody.withRaw { ShellText.of($0) } }

    private struct Redactor {
        private let fields: Set<String>

        /// Nil for a command that holds no secrets.
        init?(of command: String) {
            let holdsCommand = command == "explain" || command == "martletSQL"
            guard let fields = secretFields[command] ?? (holdsCommand ? [] : nil) else { return nil }
            self.fields = fields
        }

        func redacted(_ document: RawDocument) -> Document {
            Document { builder in
                for field in document {
                    let inner = field.value.document
                    if fields.contains(field.key.string) {
                        builder.append(field.key, .string("xxx"))
                    } else if let inner, let redactor = inner.firstElement.flatMap({ Redactor(of: $0.key.string) }) {
                        builder.append(field.key, .document(redactor.redacted(inner)))
                    } else {
                        builder.append(field)
                    }
                }
            }
        }
    }
}
