internal import BSON
internal import CommandModel
internal import Query

/// One element of `ops`: what to do, and to which of the namespaces.
///
/// A malformed element makes the whole command fail. One that is well-formed and yet impossible is an error of that
/// operation alone, and those before it are done.
struct BulkWriteOperation {
    enum Action {
        case insert(Document)
        case update(UpdateStatement)
        case delete(DeleteStatement)
    }

    /// It may write more than one document.
    var isMulti: Bool {
        switch action {
        case .insert: false
        case .update(let statement): statement.isMulti
        case .delete(let statement): statement.isMulti
        }
    }

    struct Refusal {
        var error: CommandError
        /// Where there is no collection nothing is looked for, neither documents nor the hinted index.
        var needsCollection = false
    }

    var action: Action
    /// A position in `nsInfo`.
    var target: Int
    /// Why it cannot run.
    var refusal: Refusal?

    /// - Parameter namespaceCount: the elements of `nsInfo`.
    init(_ document: Document, namespaceCount: Int) throws(CommandError) {
        self = try document.withRaw { raw throws(CommandError) -> BulkWriteOperation in
            var fields = raw.makeIterator()
            guard let first = fields.next() else {
                throw CommandError(.failedToParse, "an element of bulkWrite.ops must not be empty")
            }
            let parsed: (Action, Refusal?) =
                switch first.key {
                case "insert": (.insert(try Self.inserted(raw)), nil)
                case "update": try Self.update(raw)
                case "delete": try Self.deletion(raw)
                default:
                    throw Argument(command: "bulkWrite.ops", key: first.key, value: first.value).unknownField()
                }
            let target = try Self.target(
                Argument(command: "bulkWrite.ops", key: first.key, value: first.value), namespaceCount)
            return BulkWriteOperation(action: parsed.0, target: target, refusal: parsed.1)
        }
    }

    private init(action: Action, target: Int, refusal: Refusal?) {
        self.action = action
        self.target = target
        self.refusal = refusal
    }

    private static func target(_ argument: Argument, _ namespaceCount: Int) throws(CommandError) -> Int {
        guard let index = try argument.ifPresent(Argument.integer) else { throw .missingField(argument.name) }
        guard index >= 0, index < namespaceCount else {
            throw CommandError(
                .badValue, "BulkWrite ops entry has an invalid nsInfo index \(index) of \(namespaceCount)")
        }
        return Int(index)
    }

    private static func inserted(_ raw: RawDocument) throws(CommandError) -> Document {
        var document: Document?
        try forEachField(of: raw, "bulkWrite.ops.insert") { argument throws(CommandError) in
            guard argument.key == "document" else { throw argument.unknownField() }
            document = try argument.ifPresent(Argument.document)
        }
        guard let document else { throw .missingField("bulkWrite.ops.insert.document") }
        return document
    }

    private static func update(_ raw: RawDocument) throws(CommandError) -> (Action, Refusal?) {
        var (filter, statement, refusal): (Document?, UpdateStatement, Refusal?) = (nil, UpdateStatement(), nil)
        try forEachField(of: raw, "bulkWrite.ops.update") { argument throws(CommandError) in
            switch argument.key {
            case "filter": filter = try argument.ifPresent(Argument.document)
            case "updateMods": statement.update = try argument.updateArgument()
            case "multi": statement.isMulti = try argument.ifPresent(Argument.bool) ?? false
            case "upsert": statement.isUpsert = try argument.ifPresent(Argument.bool) ?? false
            case "upsertSupplied": _ = try argument.ifPresent(Argument.bool)
            case "arrayFilters": statement.arrayFilters = try argument.ifPresent(Argument.documents) ?? []
            case "sort": statement.sort = try argument.ifPresent(Argument.document)
            case "hint":
                statement.hint = try argument.knownHint()
                refusal = try argument.planningRefusal(&statement.collation) ?? refusal
            case "constants": statement.constants = try argument.ifPresent(Argument.document)
            default: refusal = try argument.planningRefusal(&statement.collation) ?? refusal
            }
        }
        guard let filter else { throw .missingField("bulkWrite.ops.update.filter") }
        guard let update = statement.update else { throw .missingField("bulkWrite.ops.update.updateMods") }
        statement.filter = filter
        if statement.constants != nil, update.type != .array {
            refusal = Refusal(
                error: CommandError(
                    ErrorCode(51198), "Constant values may only be specified for pipeline updates"))
        }
        return (.update(statement), refusal)
    }

    private static func deletion(_ raw: RawDocument) throws(CommandError) -> (Action, Refusal?) {
        var (filter, statement, refusal): (Document?, DeleteStatement, Refusal?) = (nil, DeleteStatement(), nil)
        try forEachField(of: raw, "bulkWrite.ops.delete") { argument throws(CommandError) in
            switch argument.key {
            case "filter": filter = try argument.ifPresent(Argument.document)
            case "multi": statement.isMulti = try argument.ifPresent(Argument.bool) ?? false
            case "hint":
                statement.hint = try argument.knownHint()
                refusal = try argument.planningRefusal(&statement.collation) ?? refusal
            default: refusal = try argument.planningRefusal(&statement.collation) ?? refusal
            }
        }
        guard let filter else { throw .missingField("bulkWrite.ops.delete.filter") }
        statement.filter = filter
        return (.delete(statement), refusal)
    }

    /// All fields but the first, which names the action.
    private static func forEachField(
        of raw: RawDocument, _ name: StaticString, _ visit: (Argument) throws(CommandError) -> Void
    ) throws(CommandError) {
        var fields = raw.makeIterator()
        _ = fields.next()
        while let field = fields.next() {
            try visit(Argument(command: name, key: field.key, value: field.value))
        }
    }
}

extension Argument {
    /// None in the place of one that `planningRefusal` tells of.
    fileprivate func knownHint() throws(CommandError) -> Hint {
        guard value.string != nil || value.document != nil else { return .none }
        do throws(CommandError) { return try hint() } catch { return .none }
    }

    /// `hint` and `collation`: of the wrong type they are malformed; naming what is not there they are the operation's
    /// error.
    fileprivate func planningRefusal(
        _ collation: inout CollationChoice
    ) throws(CommandError) -> BulkWriteOperation.Refusal? {
        switch key {
        case "hint":
            guard value.string != nil || value.document != nil else {
                throw CommandError(.failedToParse, "Hint must be a string or an object")
            }
            do throws(CommandError) { _ = try hint() } catch {
                return .init(error: error, needsCollection: true)
            }
        case "collation":
            guard try ifPresent(Argument.document) != nil else { return nil }
            do throws(CommandError) { collation = try collationChoice() } catch { return .init(error: error) }
        default: throw unknownField()
        }
        return nil
    }
}
