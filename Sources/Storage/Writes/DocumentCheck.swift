internal import BSON
internal import CommandModel
internal import Logging
internal import Query

// Every new version of a document passes here before it is stored: inserts on their way in, updates and upserts where
// they are applied (``DocumentOperation``), which is again and again when a race is lost.
extension Collection {
    /// - Parameter current: the version that the document takes the place of.
    /// - Throws: DocumentValidationFailure (121) with `errInfo`; what is wrong with a validator that this server does
    ///   not understand.
    @inline(__always)
    func check(_ document: Document, replacing current: RawDocument? = nil) throws(CommandError) {
        guard let validator = try validation.get() else { return }
        try document.withRaw { raw throws(CommandError) in
            guard try !validator.admits(raw, replacing: current) else { return }
            try refuse(raw, by: validator)
        }
    }

    @inline(never)
    private func refuse(_ document: RawDocument, by validator: DocumentValidator) throws(CommandError) {
        let account = validator.explain(document)
        if validator.action.logs { ValidationLog.note(document, in: namespace, account) }
        guard validator.action.refuses else { return }
        throw CommandError(
            .documentValidationFailure, "Document failed validation",
            details: Document { $0.append("errInfo", document: account) })
    }
}

/// One line for each document that a collection should not hold.
private enum ValidationLog {
    private static let logger = Logger(label: "martlet")
    private static let textBytesMax = 16 * 1024

    static func note(_ document: RawDocument, in namespace: Namespace, _ account: Document) {
        logger.warning(
            "document fails validation",
            metadata: [
                "namespace": "\(namespace)", "document": "\(ShellText.of(document))",
                "errInfo": "\(shortened(account))",
            ])
    }

    private static func shortened(_ account: Document) -> String {
        guard account.count <= textBytesMax else { return account.withRaw { ShellText.of($0) } }
        return account.extendedJSON(.relaxed)
    }
}

/// The documents of an insert that their collection admits, and the errors of the others.
struct CheckedDocuments {
    private(set) var documents: [Document] = []
    /// Their keys in the secondary indexes; empty when there are none.
    private(set) var keys: [KeyChanges] = []
    /// Where each stood in the insert.
    private(set) var positions: [Int] = []
    private var errors: [(index: Int, error: CommandError)] = []
    private let isOrdered: Bool

    /// - Parameter isOrdered: nothing is inserted behind the first error.
    /// - Throws: ``StorageError/newFacts(_:)``.
    init(
        _ all: [Document], into collection: Collection, isOrdered: Bool, bypassingValidation: Bool
    ) throws(StorageError) {
        self.isOrdered = isOrdered
        let admitsEverything = bypassingValidation || collection.admitsEverything
        if admitsEverything, !collection.hasIndexes {
            (documents, positions) = (all, Array(all.indices))
            return
        }
        var newFacts: [Int64: IndexFacts] = [:]
        for (index, document) in all.enumerated() {
            do throws(StorageError) {
                if !admitsEverything {
                    do throws(CommandError) { try collection.check(document) } catch { throw .command(error) }
                }
                keys.append(try KeyChanges(from: nil, to: document, in: collection))
                documents.append(document)
                positions.append(index)
            } catch {
                switch error {
                case .newFacts(let facts): newFacts.merge(facts) { $0.union($1) }
                case .postgres: throw error
                case .command(let error): errors.append((index, error))
                }
            }
            if isOrdered, !errors.isEmpty { break }
        }
        if !newFacts.isEmpty { throw .newFacts(newFacts) }
    }

    /// All errors of the insert, in the order of its documents.
    ///
    /// - Parameter refused: what storing the admitted documents gave, by their positions among them.
    func errors(with refused: [(index: Int, error: CommandError)]) -> [(index: Int, error: CommandError)] {
        let stored = refused.map { (index: positions[$0.index], error: $0.error) }
        // Those that were to be stored stand before the first one that was not.
        if isOrdered { return stored.isEmpty ? errors : stored }
        return (stored + errors).sorted { $0.index < $1.index }
    }
}
