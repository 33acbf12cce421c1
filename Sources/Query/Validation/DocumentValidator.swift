package import BSON
package import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What a collection demands of its documents: `validator`, `validationLevel`, `validationAction` and
/// `encryptedFields`, compiled once.
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
    private let source: Document
    private let filter: Filter
    /// That of the collection.
    private let collator: Collator?
    /// The rules name the time: they are compiled for each document anew, with the time of its write.
    private let namesTime: Bool
    private let encryptedPaths: EncryptedPaths?

    /// - Parameters:
    ///   - options: of the collection, as they stand in the catalog.
    ///   - collator: compares strings, but in `$jsonSchema`, which compares their bytes.
    /// - Returns: nil when they demand nothing.
    package init?(options: RawDocument, collator: Collator? = nil) throws(CommandError) {
        encryptedPaths = EncryptedPaths(options["encryptedFields"]?.document)
        let level = options["validationLevel"]?.string.flatMap(Level.init) ?? .strict
        action = options["validationAction"]?.string.flatMap(Action.init) ?? .error
        let validator = level == .off ? nil : options["validator"]?.document
        let source: RawDocument = validator ?? .none
        guard !source.isEmpty || encryptedPaths != nil else { return nil }
        filter = try Filter(compiling: source, environment: Self.bounded(.anyTime, collator))
        self.level = level
        self.collator = collator
        namesTime = Self.namesTime(RawValue(type: .document, bytes: source.bytes))
        self.source = Document(copying: source)
    }

    /// Whether the document may take the place of `current`, or stand where there was none.
    ///
    /// - Throws: what an `$expr` of the rules refuses.
    package func admits(_ document: RawDocument, replacing current: RawDocument?) throws(CommandError) -> Bool {
        try encryptedPaths?.check(document)
        let filter = try presentFilter()
        if try filter.matches(document) { return true }
        guard level == .moderate, let current else { return false }
        return try !filter.matches(current)
    }

    /// Which rules the document breaks: `errInfo`.
    package func explain(_ document: RawDocument) -> Document {
        let environment = self.environment
        let explanation = FilterExplanation(document: document) { condition throws(CommandError) in
            try Filter(compiling: condition, environment: environment)
        }
        let details = source.withRaw { explanation.explain($0) }
        var report = ValidationReport()
        if let id = document["_id"] { report.append("failingDocumentId", id) }
        if let details { report.append("details", details) }
        return report.builder.finish()
    }

    @inline(__always)
    private func presentFilter() throws(CommandError) -> Filter {
        namesTime ? try Filter(compiling: source, environment: environment) : filter
    }

    private var environment: ExpressionEnvironment {
        guard namesTime else { return Self.bounded(.none, collator) }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let seconds = Int64(time.tv_sec)
        let now = ExpressionEnvironment(
            now: seconds &* 1000 &+ Int64(time.tv_nsec) / 1_000_000,
            clusterTime: UInt64(truncatingIfNeeded: seconds) << 32)
        return Self.bounded(now, collator)
    }

    private static func bounded(
        _ environment: ExpressionEnvironment, _ collator: Collator?
    ) -> ExpressionEnvironment {
        var environment = environment.collated(by: collator)
        environment.turnsMax = ExpressionEnvironment.turnsMaxUnwatched
        return environment
    }

    /// Nested as deep as a document may be.
    private static func namesTime(_ value: RawValue) -> Bool {
        if let text = value.string { return text.hasPrefix("$$NOW") || text.hasPrefix("$$CLUSTER_TIME") }
        return value.container?.contains { namesTime($0.value) } ?? false
    }
}
