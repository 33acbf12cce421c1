package import BSON
internal import NIOCore

/// The flag bits of OP_MSG. A peer must refuse unknown bits among the low 16 and ignore them among the high 16.
package struct OpMsgFlags: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let checksumPresent = OpMsgFlags(rawValue: 1 << 0)
    /// On a request: do not reply. On a reply: another reply follows without a request.
    package static let moreToCome = OpMsgFlags(rawValue: 1 << 1)
    /// The client takes replies with ``moreToCome``.
    package static let exhaustAllowed = OpMsgFlags(rawValue: 1 << 16)

    private static let required: UInt32 = 0xFFFF

    var unknownRequired: UInt32 {
        subtracting([.checksumPresent, .moreToCome]).rawValue & Self.required
    }
}

/// Documents that a client sent beside the body, as if they were the array field `identifier` of the command.
package struct DocumentSequence: Sendable {
    package let identifier: String
    package let documents: [Document]

    package init(identifier: String, documents: [Document]) {
        self.identifier = identifier
        self.documents = documents
    }
}

/// The message that everything but the first handshake of old drivers uses.
///
/// Every document was validated and is a slice of the frame.
///
/// Source: https://github.com/mongodb/specifications/blob/master/source/message/OP_MSG.md
package struct OpMsg: Sendable {
    package let flags: OpMsgFlags
    package let body: Document
    package let sequences: [DocumentSequence]
}
