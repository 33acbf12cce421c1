package import BSON
package import CommandModel

extension CommandError {
    /// MongoDB's E11000 for the `_id` index, with `keyPattern` and `keyValue`.
    package static func duplicateID(in namespace: Namespace, document: Document) -> CommandError {
        document.withRaw { raw in
            let id = raw["_id"] ?? Value.nullRaw
            let details = Document { builder in
                builder.beginDocument("keyPattern")
                builder.append("_id", int32: 1)
                builder.end()
                builder.beginDocument("keyValue")
                builder.append("_id", id)
                builder.end()
            }
            let shown = Document { $0.append("_id", id) }.withRaw { ShellText.of($0) }
            return CommandError(
                .duplicateKey,
                "E11000 duplicate key error collection: \(namespace) index: _id_ dup key: \(shown)",
                details: details)
        }
    }
}
