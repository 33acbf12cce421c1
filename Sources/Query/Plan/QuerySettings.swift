package import BSON
package import CommandModel

/// How queries of one shape are to be answered: by which indexes, or not at all. What `setQuerySettings` takes.
///
/// `queryFramework` names one of MongoDB's two engines. There is one engine here, which answers for both: the name is
/// kept and shown, and changes nothing.
package struct QuerySettings: Sendable {
    /// As clients are shown them, and as they are stored.
    package let document: Document
    package let rejects: Bool
    private let hints: [Namespace: AllowedIndexes]

    /// - Parameter stored: what ``merging(_:)`` made.
    package init(stored document: Document) throws(CommandError) {
        self = try document.withRaw { raw throws(CommandError) in
            try QuerySettings(QuerySettingsArguments(raw))
        }
    }

    fileprivate init(_ arguments: QuerySettingsArguments) {
        document = arguments.document
        rejects = arguments.rejects == true
        hints = arguments.hints
    }

    /// The indexes that a query may use of a collection; nil for all.
    package func allowedIndexes(of namespace: Namespace) -> AllowedIndexes? { hints[namespace] }

    /// Settings from what a client gives: what it says takes the place of what was `present`, the rest stays.
    ///
    /// - Throws: 7746604 when nothing is left that would change how a query is answered.
    package static func merging(_ given: RawDocument, into present: QuerySettings?) throws(CommandError)
        -> QuerySettings
    {
        guard !given.isEmpty else {
            throw CommandError(ErrorCode(8_727_502), "settings must not be empty")
        }
        let changes = try QuerySettingsArguments(given)
        var merged = changes
        if let present {
            merged = try present.document.withRaw { raw throws(CommandError) in try QuerySettingsArguments(raw) }
            merged.take(changes)
        }
        guard merged.steers else {
            throw CommandError(
                ErrorCode(7_746_604),
                "settings must name indexes, a query framework, or 'reject: true'; remove them to go without")
        }
        return QuerySettings(merged)
    }
}

/// The fields of settings, checked.
private struct QuerySettingsArguments {
    private(set) var rejects: Bool?
    private(set) var hints: [Namespace: AllowedIndexes] = [:]
    private var order: [Namespace] = []
    private var framework: String?
    private var comment: Value?

    init(_ given: RawDocument) throws(CommandError) {
        var taken = QuerySettingsArguments()
        for field in given {
            try taken.take(Argument(command: "setQuerySettings.settings", key: field.key, value: field.value))
        }
        self = taken
    }

    private init() {}

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "indexHints": try takeHints(argument)
        case "queryFramework":
            guard !argument.isOmitted else { return }
            let name = try argument.string()
            guard ["classic", "sbe"].contains(name) else {
                throw CommandError(.badValue, "Enumeration value '\(name)' for field '\(argument.name)' is not valid")
            }
            framework = name
        case "reject": rejects = try argument.bool()
        case "comment": comment = Value(copying: argument.value)
        default: throw argument.unknownField()
        }
    }

    /// One object, or a list of them.
    private mutating func takeHints(_ argument: Argument) throws(CommandError) {
        guard !argument.isOmitted else { return }
        if let single = argument.value.document { return try takeHint(single) }
        for element in try argument.array() {
            guard let hint = element.value.document else {
                throw CommandError.wrongType(
                    "\(argument.name).\(element.key.string)", element.value, expected: "object")
            }
            try takeHint(hint)
        }
    }

    private mutating func takeHint(_ hint: RawDocument) throws(CommandError) {
        var (namespace, allowed): (Namespace?, AllowedIndexes?)
        for field in hint {
            let argument = Argument(command: "indexHints", key: field.key, value: field.value)
            switch argument.key {
            case "ns": namespace = try argument.ifPresent(Argument.hintedNamespace)
            case "allowedIndexes":
                guard !argument.isOmitted else { continue }
                allowed = try AllowedIndexes(try argument.array(), takesScan: true)
            default: throw argument.unknownField()
            }
        }
        guard let namespace else { throw .missingField("indexHints.ns") }
        guard let allowed else { throw .missingField("indexHints.allowedIndexes") }
        guard hints[namespace] == nil else {
            throw CommandError(.badValue, "indexHints may name each collection once: \(namespace)")
        }
        // None at all is no hint.
        guard !allowed.isEmpty else { return }
        hints[namespace] = allowed
        order.append(namespace)
    }

    mutating func take(_ changes: QuerySettingsArguments) {
        if !changes.hints.isEmpty { (hints, order) = (changes.hints, changes.order) }
        framework = changes.framework ?? framework
        rejects = changes.rejects ?? rejects
        comment = changes.comment ?? comment
    }

    /// Whether a query with these settings differs from one without.
    var steers: Bool { !hints.isEmpty || framework != nil || rejects == true }

    var document: Document {
        Document { builder in
            if !order.isEmpty {
                builder.append("indexHints", documents: order) { namespace, builder in
                    builder.beginDocument("ns")
                    builder.append("db", string: namespace.database)
                    builder.append("coll", string: namespace.collection)
                    builder.end()
                    builder.append("allowedIndexes", .array(hints[namespace]?.specification ?? .empty))
                }
            }
            if let framework { builder.append("queryFramework", string: framework) }
            if rejects == true { builder.append("reject", bool: true) }
            if let comment { builder.append("comment", comment) }
        }
    }
}

extension Argument {
    fileprivate func hintedNamespace() throws(CommandError) -> Namespace {
        var (database, collection): (String?, String?)
        try forEachField(named: "indexHints.ns") { part throws(CommandError) in
            switch part.key {
            case "db": database = try part.ifPresent(Argument.string)
            case "coll": collection = try part.ifPresent(Argument.string)
            default: throw part.unknownField()
            }
        }
        guard let database else { throw CommandError(ErrorCode(8_727_500), "indexHints.ns.db is missing") }
        guard let collection else { throw CommandError(ErrorCode(8_727_501), "indexHints.ns.coll is missing") }
        return try .validated(database: database, collection: collection)
    }
}
