package import BSON
package import NIOCore

/// A command as it came: the body, the document sequences beside it, and the arguments that every command shares.
package struct CommandRequest: Sendable {
    /// The name as the client spelled it: the first field of the body.
    package let name: String
    package let body: Document
    /// Document sequences (OP_MSG kind 1) by identifier; each stands for an array field of that name.
    package let sequences: [DocumentSequenceArgument]
    package private(set) var shared: SharedArguments
    /// The hash of the user whose command it is; nil where users do not matter.
    package private(set) var owner: [UInt8]?

    /// - Throws: the error of the first shared argument that is not as it must be.
    package init(body: Document, sequences: [DocumentSequenceArgument]) throws(CommandError) {
        self.body = body
        self.sequences = sequences
        name = body.withRaw { raw in
            var fields = raw.makeIterator()
            return fields.next()?.key.string ?? ""
        }
        shared = try body.withRaw { raw throws(CommandError) in try SharedArguments(raw) }
    }

    package var database: String { shared.database }

    /// The same as the command of a user, and in that user's session.
    package func owned(by owner: [UInt8]) -> CommandRequest {
        var request = self
        request.owner = owner
        request.shared.sessionID = shared.sessionID?.owned(by: owner)
        return request
    }

    /// The collection that the first field names.
    ///
    /// - Throws: InvalidNamespace (73) for a value that is no string or no valid name.
    package func namespace() throws(CommandError) -> Namespace {
        let collection: String? = body.withRaw { raw in
            var fields = raw.makeIterator()
            return fields.next()?.value.string
        }
        guard let collection else {
            let type = body.withRaw { raw in
                var fields = raw.makeIterator()
                return fields.next()?.value.type ?? .null
            }
            throw CommandError(.invalidNamespace, "collection name has invalid type \(type.alias)")
        }
        return try .validated(database: database, collection: collection)
    }

    /// Calls `body` for each argument that belongs to this command alone, in order; the first field (the name) and
    /// the shared ones are left out.
    package func forEachArgument(
        of command: StaticString, _ visit: (Argument) throws(CommandError) -> Void
    ) throws(CommandError) {
        try body.withRaw { raw throws(CommandError) in
            var fields = raw.makeIterator()
            _ = fields.next()
            while let field = fields.next() {
                if SharedArguments.contains(field.key) { continue }
                try visit(Argument(command: command, key: field.key, value: field.value))
            }
        }
    }

    package func sequence(_ identifier: String) -> [Document]? {
        sequences.first { $0.identifier == identifier }?.documents
    }
}

package struct DocumentSequenceArgument: Sendable {
    package let identifier: String
    package let documents: [Document]

    package init(identifier: String, documents: [Document]) {
        self.identifier = identifier
        self.documents = documents
    }
}
