internal import Access
internal import BSON
internal import CommandModel

/// What the commands that write documents need.
enum WriteAccess {
    @Sendable static func insert(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        [Requirement(.insert, try request.namespace())] + (try bypassing(request))
    }

    @Sendable static func delete(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        [Requirement(.remove, try request.namespace())]
    }

    /// An upsert may insert.
    @Sendable static func update(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let namespace = try request.namespace()
        var needed = [Requirement(.update, namespace)] + (try bypassing(request))
        if request.hasStatement("updates", where: { $0.isUpsert }) { needed.append(Requirement(.insert, namespace)) }
        return needed
    }

    @Sendable static func findAndModify(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let namespace = try request.namespace()
        var needed = [Requirement(.find, namespace)] + (try bypassing(request))
        let (removes, upserts) = request.body.withRaw { raw in
            (raw.contains { $0.key == "remove" && $0.value.isOn }, raw.isUpsert)
        }
        needed.append(Requirement(removes ? .remove : .update, namespace))
        if upserts { needed.append(Requirement(.insert, namespace)) }
        return needed
    }

    /// Each of its operations is on one of the namespaces that it lists.
    @Sendable static func bulkWrite(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        var namespaces: [Namespace] = []
        try request.forEachStatement("nsInfo") { document throws(CommandError) in
            namespaces.append(try Namespace(splitting: document["ns"]?.string ?? ""))
        }
        var needed: Set<Int> = []
        var requirements: [Requirement] = []
        try request.forEachStatement("ops") { document throws(CommandError) in
            // Which kind it is the first field says; the others are looked at all the same.
            for field in document {
                let actions = Self.actions(field.key, document)
                guard !actions.isEmpty, let number = field.value.number?.asInt64Exact else { continue }
                guard let index = Int(exactly: number), namespaces.indices.contains(index) else {
                    throw CommandError(.badValue, "bulkWrite: an operation is on no namespace of nsInfo")
                }
                for action in actions where needed.insert(index << 8 | Int(action.rawValue)).inserted {
                    requirements.append(Requirement(action, namespaces[index]))
                }
            }
        }
        if try isBypassing(request) {
            requirements += namespaces.map { Requirement(.bypassDocumentValidation, $0) }
        }
        return requirements
    }

    private static func actions(_ key: RawKey, _ operation: RawDocument) -> [Action] {
        switch key {
        case "insert": [.insert]
        case "update": operation.isUpsert ? [.update, .insert] : [.update]
        case "delete": [.remove]
        default: []
        }
    }

    static func bypassing(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        try isBypassing(request) ? [Requirement(.bypassDocumentValidation, request.namespace())] : []
    }

    private static func isBypassing(_ request: CommandRequest) throws(CommandError) -> Bool {
        request.body.withRaw { raw in raw.contains { $0.key == "bypassDocumentValidation" && $0.value.isOn } }
    }
}

extension RawDocument {
    /// Looks at each field of the name: which of two counts is the handler's business.
    fileprivate var isUpsert: Bool { contains { $0.key == "upsert" && $0.value.isOn } }
}

extension CommandRequest {
    /// Calls `visit` with each document of an array, or of the sequence that stands for it. What is no document is the
    /// handler's to refuse.
    fileprivate func forEachStatement(
        _ name: String, _ visit: (RawDocument) throws(CommandError) -> Void
    ) throws(CommandError) {
        for document in sequence(name) ?? [] {
            try document.withRaw { raw throws(CommandError) in try visit(raw) }
        }
        try body.withRaw { raw throws(CommandError) in
            for field in raw where field.key.string == name {
                guard let array = field.value.array else { continue }
                for element in array {
                    if let document = element.value.document { try visit(document) }
                }
            }
        }
    }

    fileprivate func hasStatement(_ name: String, where matches: (RawDocument) -> Bool) -> Bool {
        var found = false
        try? forEachStatement(name) { (document) throws(CommandError) in found = found || matches(document) }
        return found
    }
}

extension Namespace {
    /// `database.collection`, as some commands name it.
    init(splitting text: String) throws(CommandError) {
        guard let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")) else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(text)'")
        }
        self = try .validated(
            database: String(text.utf8[..<dot]) ?? "",
            collection: String(text.utf8[text.utf8.index(after: dot)...]) ?? "")
    }
}
