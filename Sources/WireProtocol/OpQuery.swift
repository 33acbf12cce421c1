package import BSON
internal import NIOCore

/// The legacy message with which drivers that do not know the server yet send their first `isMaster` (or `hello`).
/// Nothing else may come in it.
package struct OpQuery: Sendable {
    /// The database to which a command is addressed, nil when this is not a command (`<database>.$cmd`) but a query
    /// of a collection, as drivers sent before 2015.
    package let database: String?

    /// The command, taken out of `{$query: …, $readPreference: …}` if it was wrapped so.
    package let command: Document
}

extension OpQuery {
    private static let commandCollection = ".$cmd"

    /// int32 flags, cstring namespace, int32 skip, int32 return, document query, optional document projection. None of
    /// the numbers means anything for a command.
    init(parsing frame: ByteBuffer) throws(ParseError) {
        self = try withReadable(frame) { bytes throws(ParseError) in
            var reader = FrameReader(bytes)
            _ = try reader.readInteger(as: Int32.self)
            let namespace = try reader.readCString()
            _ = try reader.readInteger(as: Int32.self)
            _ = try reader.readInteger(as: Int32.self)
            let query = try reader.readDocument()
            if reader.remaining > 0 { _ = try reader.readDocument() }
            try reader.expectEnd()
            let command = frame.document(in: Self.unwrap(query, in: bytes))
            return OpQuery(database: Self.database(of: namespace), command: command)
        }
    }

    private static func database(of namespace: String) -> String? {
        guard namespace.hasSuffix(commandCollection) else { return nil }
        return String(namespace.dropLast(commandCollection.count))
    }

    private static func unwrap(_ query: Range<Int>, in frame: UnsafeRawBufferPointer) -> Range<Int> {
        let document = RawDocument(unchecked: UnsafeRawBufferPointer(rebasing: frame[query]))
        var elements = document.makeIterator()
        guard let first = elements.next(), first.key == "$query", let inner = first.value.document,
            let start = inner.bytes.baseAddress, let base = document.bytes.baseAddress
        else { return query }
        let offset = query.lowerBound + (start - base)
        return offset..<offset + inner.bytes.count
    }
}
