package import BSON
package import CommandModel

/// What a collection demands of its documents: `validator`, `validationLevel` and `validationAction`, compiled once.
package struct DocumentValidator: Sendable {
    package enum Level: String, Sendable {
        case off, strict
        /// Documents that did not fulfil the rules before need not fulfil them after an update.
        case moderate
    }

    package enum Action: String, Sendable {
        case error, warn, errorAndLog

        package var refuses: Bool { self != .warn }
        package var logs: Bool { self != .error }
    }

    package let action: Action
    private let level: Level
    private let filter: Filter
    private let source: Document

    /// - Parameter options: of the collection, as they stand in the catalog.
    /// - Returns: nil when they demand nothing.
    package init?(options: RawDocument) throws(CommandError) {
        guard let source = options["validator"]?.document, !source.isEmpty else { return nil }
        level = options["validationLevel"]?.string.flatMap(Level.init) ?? .strict
        action = options["validationAction"]?.string.flatMap(Action.init) ?? .error
        guard level != .off else { return nil }
        filter = try Filter(compiling: source)
        self.source = Document(copying: source)
    }

    /// Whether the document may take the place of `current`, or stand where there was none.
    @inline(__always)
    package func admits(_ document: RawDocument, replacing current: RawDocument?) -> Bool {
        if filter.matches(document) { return true }
        guard level == .moderate, let current else { return false }
        return !filter.matches(current)
    }

    /// Which rules the document breaks: `errInfo`.
    package func explain(_ document: RawDocument) -> Document {
        let explanation = FilterExplanation(document: document) { condition throws(CommandError) in
            try Filter(compiling: condition)
        }
        let details = source.withRaw { explanation.explain($0) }
        var report = ValidationReport()
        if let id = document["_id"] { report.append("failingDocumentId", id) }
        if let details { report.append("details", details) }
        return report.builder.finish()
    }
}
