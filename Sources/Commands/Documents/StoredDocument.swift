internal import BSON
internal import CommandModel
internal import NIOCore

/// A document as it is stored: `_id` first, made when it is missing.
///
/// What the client sent is otherwise kept byte for byte, but for a top-level Timestamp(0, 0), which stands for "now".
enum StoredDocument {
    static func prepare(
        _ document: Document, _ server: ServerState, keepsEmptyTimestamps: Bool = false
    ) throws(CommandError) -> Document {
        guard document.count <= ServerLimits.documentBytesMax else {
            throw CommandError(
                .bsonObjectTooLarge,
                "object to insert too large. size in bytes: \(document.count), "
                    + "max size: \(ServerLimits.documentBytesMax)"
            )
        }
        let found = try document.withRaw { raw throws(CommandError) in
            guard !raw.isTooDeepToStore else {
                throw CommandError(
                    .overflow, "the document nests deeper than \(RawDocument.storedDepthMax) levels")
            }
            return try check(raw)
        }
        let fillsTimestamps = found.hasEmptyTimestamp && !keepsEmptyTimestamps
        guard fillsTimestamps || !found.beginsWithID else { return document }
        return rewritten(document, server, fillsTimestamps: fillsTimestamps)
    }

    private static func check(
        _ document: RawDocument
    ) throws(CommandError) -> (beginsWithID: Bool, hasEmptyTimestamp: Bool) {
        var idPosition = -1
        var hasEmptyTimestamp = false
        var position = 0
        for field in document {
            if field.key == "_id" {
                if idPosition < 0 { idPosition = position }
                try checkID(field.value)
            } else if field.value.timestamp == 0 {
                hasEmptyTimestamp = true
            }
            position += 1
        }
        return (idPosition == 0, hasEmptyTimestamp)
    }

    static func checkID(_ id: RawValue) throws(CommandError) {
        switch id.type {
        case .array, .regex, .undefined:
            throw CommandError(.invalidIDField, "The '_id' value cannot be of type \(id.type.alias)")
        case .document:
            guard let document = id.document else { return }
            for field in document where field.key.startsWithDollar {
                throw CommandError(
                    .dollarPrefixedFieldName,
                    "_id fields may not contain '$'-prefixed fields: \(field.key.string) is not valid for storage.")
            }
        default: return
        }
    }

    private static func rewritten(_ document: Document, _ server: ServerState, fillsTimestamps: Bool) -> Document {
        document.withRaw { raw in
            var builder = DocumentBuilder(reserving: document.count + 24)
            if let id = raw["_id"] {
                builder.append("_id", id)
            } else {
                builder.append("_id", objectID: server.newObjectID())
            }
            for field in raw where !(field.key == "_id") {
                if fillsTimestamps, field.value.timestamp == 0 {
                    builder.header(.timestamp, field.key)
                    builder.appendPayload(server.clock.tick())
                } else {
                    builder.append(field)
                }
            }
            return builder.finish()
        }
    }
}
