internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// A stage of a plan as MongoDB's `explain` shows it, with the stages that feed it.
struct ExplainedStage {
    let name: String
    /// What is particular to it.
    var details: (inout DocumentBuilder) -> Void = { _ in }
    var inputs: [ExplainedStage] = []
    /// What came out of it; nil where nobody has counted.
    var returned: Int64?
    var examinedKeys: Int64?
    var examinedDocuments: Int64?

    init(
        _ name: String, over input: ExplainedStage? = nil,
        _ details: @escaping (inout DocumentBuilder) -> Void = { _ in }
    ) {
        self.name = name
        self.details = details
        inputs = input.map { [$0] } ?? []
    }

    func total(_ count: KeyPath<ExplainedStage, Int64?>) -> Int64 {
        inputs.reduce(self[keyPath: count] ?? 0) { $0 + $1.total(count) }
    }

    /// Into a document that is open.
    func write(withCounts: Bool, into builder: inout DocumentBuilder) {
        builder.append("stage", string: name)
        if withCounts { writeCounts(into: &builder) }
        details(&builder)
        if withCounts {
            if let examinedKeys { builder.append("keysExamined", count: examinedKeys) }
            if let examinedDocuments { builder.append("docsExamined", count: examinedDocuments) }
        }
        if let only = inputs.first, inputs.count == 1 {
            builder.beginDocument("inputStage")
            only.write(withCounts: withCounts, into: &builder)
            builder.end()
        } else if !inputs.isEmpty {
            builder.beginArray("inputStages")
            for (index, input) in inputs.enumerated() {
                builder.beginDocument(index: index)
                input.write(withCounts: withCounts, into: &builder)
                builder.end()
            }
            builder.end()
        }
    }

    private func writeCounts(into builder: inout DocumentBuilder) {
        let examined = max(examinedKeys ?? 0, examinedDocuments ?? 0, returned ?? 0)
        builder.append("nReturned", count: returned ?? 0)
        builder.append("works", count: examined + 1)
        builder.append("advanced", count: returned ?? 0)
        builder.append("needTime", count: examined - (returned ?? 0))
        builder.append("isEOF", int32: 1)
    }
}

// What a query does, from the keys up.
extension ExplainedStage {
    static let sortBytesMax: Int64 = 100 * 1024 * 1024

    /// - Parameter projection: as the client wrote it.
    init(
        _ query: FindQuery, in collection: Collection, projection: Document?, action: String?, _ profile: QueryProfile?
    ) {
        let countsBySQL = profile?.countsBySQL ?? (action == "COUNT" && query.countsBySQL(in: collection))
        if action == "COUNT", query.matchesEverything {
            self.init("RECORD_STORE_FAST_COUNT")
            returned = profile?.returned
            return
        }
        var stage = Self.source(query, collection, countsBySQL: countsBySQL, profile)
        if query.isBlockingSort(in: collection), !countsBySQL {
            stage = ExplainedStage("SORT", over: stage) { builder in
                builder.append("sortPattern", .document(query.sort?.specification ?? .empty))
                builder.append("memLimit", int64: Self.sortBytesMax)
                if let wanted = query.matchesNeeded { builder.append("limitAmount", int64: Int64(wanted)) }
                builder.append("type", string: "simple")
            }
            stage.returned = profile.map { $0.returned + Int64(query.skip) }
        }
        if query.skip > 0, action != "COUNT" {
            stage = ExplainedStage("SKIP", over: stage) { $0.append("skipAmount", int64: Int64(query.skip)) }
            stage.returned = profile?.returned
        }
        if let projection, !projection.isEmpty {
            stage = ExplainedStage(Self.projectionName(projection), over: stage) { builder in
                builder.append("transformBy", .document(projection))
            }
            stage.returned = profile?.returned
        }
        if let limit = query.limit, action == nil, !query.isBlockingSort(in: collection) {
            stage = ExplainedStage("LIMIT", over: stage) { $0.append("limitAmount", int64: Int64(limit)) }
            stage.returned = profile?.returned
        }
        self = action.map { Self.acting($0, over: stage, profile?.returned) } ?? stage
    }

    /// What a command does with the documents that it finds.
    ///
    /// - Parameter count: how many these are; nil where nobody has looked.
    static func acting(_ action: String, over input: ExplainedStage, _ count: Int64?) -> ExplainedStage {
        var stage = ExplainedStage(action, over: input) { builder in
            guard let count else { return }
            switch action {
            case "COUNT": builder.append("nCounted", count: count)
            case "DELETE": builder.append("nWouldDelete", count: count)
            default:
                builder.append("nMatched", count: count)
                builder.append("nWouldModify", count: count)
            }
        }
        stage.returned = 0
        return stage
    }

    private static func projectionName(_ projection: Document) -> String {
        projection.withRaw { raw in
            let isSimple = raw.allSatisfy { field in
                !field.key.string.contains(".") && (field.value.number != nil || field.value.bool != nil)
            }
            return isSimple ? "PROJECTION_SIMPLE" : "PROJECTION_DEFAULT"
        }
    }

    private static func source(
        _ query: FindQuery, _ collection: Collection, countsBySQL: Bool, _ profile: QueryProfile?
    ) -> ExplainedStage {
        func fetched(_ input: ExplainedStage) -> ExplainedStage {
            var input = input
            (input.returned, input.examinedKeys) = (profile?.examined, profile?.examined)
            if countsBySQL { return input }
            var fetch = ExplainedStage("FETCH", over: input) { filter(query, &$0) }
            (fetch.returned, fetch.examinedDocuments) = (profile?.matched, profile?.examined)
            return fetch
        }
        switch query.access {
        case .nothing: return ExplainedStage("EOF")
        case .keys(let keys) where keys.mergedFields > 0 && !countsBySQL: return fetched(merged(keys, query))
        case .keys(let keys): return fetched(scan(keys, isCounted: countsBySQL))
        case .union(let scans):
            var union = ExplainedStage("OR")
            union.inputs = scans.map { scan($0, isCounted: false) }
            return fetched(union)
        case .text(let keys):
            return text(over: fetched(scan(keys, isCounted: false)), query)
        case .textUnion(let scans):
            var union = ExplainedStage("OR")
            union.inputs = scans.map { keys in
                let found = scan(keys, isCounted: false)
                return keys.index.definition.isText ? text(over: found, query) : found
            }
            return fetched(union)
        case .undecided, .collection: return ofTable(query, collection, countsBySQL, profile, fetched)
        }
    }

    private static func text(over input: ExplainedStage, _ query: FindQuery) -> ExplainedStage {
        var stage = ExplainedStage("TEXT_MATCH", over: input) { builder in
            query.filter.textExplanation.withRaw { for field in $0 { builder.append(field) } }
        }
        stage.returned = input.returned
        return stage
    }

    private static func ofTable(
        _ query: FindQuery, _ collection: Collection, _ countsBySQL: Bool, _ profile: QueryProfile?,
        _ fetched: (ExplainedStage) -> ExplainedStage
    ) -> ExplainedStage {
        let shape = KeyConstraint(of: query.filter, in: collection).shape
        if case .points = shape, query.singleKey(in: collection) != nil {
            var stage = ExplainedStage("IDHACK") { builder in
                builder.append("keyPattern", .document(idPattern))
                builder.append("indexName", string: "_id_")
            }
            (stage.returned, stage.examinedKeys, stage.examinedDocuments) = (
                profile?.matched, profile?.examined, profile?.examined
            )
            return stage
        }
        var isByID = query.bounds != nil
        if case .any = shape {} else { isByID = true }
        if case .id? = query.rowOrder?.order, !query.isBlockingSort(in: collection) { isByID = true }
        guard isByID else {
            var stage = ExplainedStage("COLLSCAN") { builder in
                builder.append("direction", string: query.naturalDescending ? "backward" : "forward")
                filter(query, &builder)
            }
            (stage.returned, stage.examinedDocuments) = (profile?.matched, profile?.examined)
            return stage
        }
        return fetched(
            ExplainedStage(countsBySQL ? "COUNT_SCAN" : "IXSCAN") { writeIDIndex(query, &$0) })
    }

    private static func filter(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        let filter = query.filter.specification
        if !filter.isEmpty { builder.append("filter", .document(filter)) }
    }
}

// Scans of indexes.
extension ExplainedStage {
    private static let idPattern = Document { $0.append("_id", int32: 1) }

    /// A walk for each beginning of the keys.
    private static func merged(_ keys: KeyScan, _ query: FindQuery) -> ExplainedStage {
        var walks: [[FieldBounds]] = [[]]
        for (place, field) in keys.fieldBounds.enumerated() {
            let choices = place < keys.mergedFields ? field.intervals.map { [$0] } : [field.intervals]
            walks = walks.flatMap { walk in
                choices.map { walk + [FieldBounds(path: field.path, intervals: $0)] }
            }
        }
        var stage = ExplainedStage("SORT_MERGE") { builder in
            builder.append("sortPattern", .document(query.sort?.specification ?? .empty))
        }
        stage.inputs = walks.map { scan(keys, isCounted: false, bounds: $0) }
        return stage
    }

    private static func scan(_ keys: KeyScan, isCounted: Bool, bounds: [FieldBounds]? = nil) -> ExplainedStage {
        let name = isCounted ? "COUNT_SCAN" : keys.distinctFields > 0 ? "DISTINCT_SCAN" : "IXSCAN"
        return ExplainedStage(name) { builder in
            let definition = keys.index.definition
            builder.append("keyPattern", .document(definition.keyPattern))
            builder.append("indexName", string: definition.name)
            definition.specification.withRaw { raw in
                if let collation = raw["collation"] { builder.append("collation", collation) }
            }
            builder.append("isMultiKey", bool: keys.index.facts.isMultikey)
            writeMultikeyPaths(keys, &builder)
            builder.append("isUnique", bool: definition.isUnique)
            builder.append("isSparse", bool: definition.isSparse)
            builder.append("isPartial", bool: definition.partialFilter != nil)
            writeWalk(isReversed: keys.isReversed, bounds ?? keys.fieldBounds, &builder)
        }
    }

    private static func writeWalk(isReversed: Bool, _ bounds: [FieldBounds], _ builder: inout DocumentBuilder) {
        builder.append("indexVersion", int32: 2)
        builder.append("direction", string: isReversed ? "backward" : "forward")
        builder.beginDocument("indexBounds")
        for field in bounds {
            builder.beginArray(name: field.path)
            // From the last to the first, each from its end, when the walk goes so.
            let intervals = isReversed ? field.intervals.reversed().map(backwards) : field.intervals
            for (index, text) in intervals.enumerated() { builder.append(index: index, string: text) }
            builder.end()
        }
        builder.end()
    }

    /// `[1, 5)` seen from its end: `(5, 1]`. A comma within a text cannot be told from that between the ends, so such
    /// an interval stays as it is.
    private static func backwards(_ interval: String) -> String {
        let parts = interval.dropFirst().dropLast().split(separator: ", ", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = interval.first, let last = interval.last else { return interval }
        return (last == "]" ? "[" : "(") + parts[1] + ", " + parts[0] + (first == "[" ? "]" : ")")
    }

    private static func writeMultikeyPaths(_ keys: KeyScan, _ builder: inout DocumentBuilder) {
        builder.beginDocument("multiKeyPaths")
        for (position, field) in keys.index.definition.fields.enumerated() {
            builder.beginArray(name: field.path)
            if position < 32, keys.index.facts.multikeyFields & (1 << UInt32(position)) != 0 {
                builder.append(index: 0, string: field.path)
            }
            builder.end()
        }
        builder.end()
    }

    private static func writeIDIndex(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        builder.append("keyPattern", .document(idPattern))
        builder.append("indexName", string: "_id_")
        builder.append("isMultiKey", bool: false)
        builder.beginDocument("multiKeyPaths")
        builder.beginArray("_id")
        builder.end()
        builder.end()
        builder.append("isUnique", bool: true)
        builder.append("isSparse", bool: false)
        builder.append("isPartial", bool: false)
        var isReversed = false
        if case .id(let ascending)? = query.rowOrder?.order { isReversed = !ascending }
        writeWalk(isReversed: isReversed, idBounds(query), &builder)
    }

    /// The bounds on `_id`, as those of an index on it.
    private static func idBounds(_ query: FindQuery) -> [FieldBounds] {
        let specification = Document { builder in
            builder.append("v", int32: 2)
            builder.append("key", .document(idPattern))
            builder.append("name", string: "_id_")
        }
        // It is a specification without fault.
        guard let definition = try? IndexDefinition(specification) else { return [] }
        let index = IndexCandidate(definition: definition, facts: IndexFacts())
        return IndexPlanner([index], describesBounds: true).bounds(of: query.filter, in: index)?.fieldBounds ?? []
    }
}

extension DocumentBuilder {
    /// A count as MongoDB has it: as short as it can be.
    mutating func append(_ name: StaticString, count: Int64) {
        if let short = Int32(exactly: count) {
            append(name, int32: short)
        } else {
            append(name, int64: count)
        }
    }
}
