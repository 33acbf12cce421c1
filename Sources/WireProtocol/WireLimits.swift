/// The sizes that the protocol allows, as `hello` announces them.
package enum WireLimits {
    /// `maxMessageSizeBytes`: a whole message with its header, compressed or not.
    package static let messageBytes = 48_000_000

    /// `maxBsonObjectSize`: a document that a user stores.
    package static let documentBytes = 16 * 1024 * 1024

    /// A command or a reply may exceed ``documentBytes`` by this much, so that the largest document still fits into it.
    package static let documentOverheadBytes = 16 * 1024

    /// Any document inside a message. The stricter limit for stored documents is the commands' to check.
    package static let messageDocumentBytes = documentBytes + documentOverheadBytes

    package static let headerBytes = 16

    /// Sections of one OP_MSG. No command takes more than two sequences beside its body; the bound keeps the check for
    /// unique identifiers cheap.
    package static let sections = 16
}
