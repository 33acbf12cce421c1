internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// How much `explain` tells: the plan, also how it went, also how others would have gone.
enum ExplainVerbosity: String, Sendable {
    case queryPlanner, executionStats, allPlansExecution
}

/// How a command would be carried out, in MongoDB's shape, and what only we can tell under `martlet`.
struct Explanation: Sendable {
    let namespace: Namespace
    /// nil where no collection is read.
    var query: FindQuery?
    /// nil where there is none of that name.
    var collection: Collection?
    /// Stages behind the query, as the client wrote them; nil where the query does it all.
    var stages: [Document]?
    /// How those find the documents of other collections.
    var joins: [JoinStrategy] = []
    /// The index whose keys are counted in the place of documents.
    var countedIndex: String?
    /// What the command does with what it finds: `COUNT`, `UPDATE` …
    var action: String?
    /// The projection of a `find`, as the client wrote it.
    var projection: Document?
    var verbosity = ExplainVerbosity.queryPlanner
    /// Of what decides which plan is taken, and the same with the indexes that there are.
    var shape = (hash: "", key: "")
    /// The other ways in which the documents could have been found.
    var rejected: [FindQuery] = []
    /// How these would have gone; empty where nobody has tried.
    var trials: [QueryProfile] = []
    /// How the query went; nil where it was not run.
    var profile: QueryProfile?

    func write(_ command: Document, _ context: CommandContext, into builder: inout DocumentBuilder) {
        builder.append("explainVersion", string: "1")
        if let stages {
            builder.beginArray("stages")
            var index = 0
            if query != nil {
                builder.append(index: index, .document(cursorStage))
                index += 1
            }
            for stage in stages {
                builder.append(index: index, .document(stage))
                index += 1
            }
            builder.end()
        } else if let query {
            writePlanner(query, &builder)
        }
        if let query, let collection { writeMartlet(query, collection, context.engine, &builder) }
        let own = Self.withoutShared(command)
        if let shape = QueryShape(of: command, in: namespace.database) {
            builder.append("queryShapeHash", string: shape.hash.description)
        }
        builder.append("command", .document(own))
        writeServer(context.server, &builder)
    }

    /// A command without session, concerns and the like.
    private static func withoutShared(_ command: Document) -> Document {
        Document { builder in
            command.withRaw { command in
                for field in command where field.key == "$db" || !SharedArguments.contains(field.key) {
                    builder.append(field)
                }
            }
        }
    }

    private var cursorStage: Document {
        Document { builder in
            builder.beginDocument("$cursor")
            if let query { writePlanner(query, &builder) }
            builder.end()
        }
    }

    private func writePlanner(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        builder.beginDocument("queryPlanner")
        builder.append("namespace", string: namespace.description)
        builder.append("indexFilterSet", bool: isFiltered(query))
        builder.append("parsedQuery", .document(query.filter.specification))
        if let settings = query.settings { builder.append("querySettings", document: settings.document) }
        // The older name of the same hash.
        builder.append("queryHash", string: shape.hash)
        builder.append("planCacheShapeHash", string: shape.hash)
        builder.append("planCacheKey", string: shape.key)
        builder.beginDocument("winningPlan")
        builder.append("isCached", bool: false)
        stage(query, nil).write(withCounts: false, into: &builder)
        builder.end()
        builder.beginArray("rejectedPlans")
        for (index, other) in rejected.enumerated() {
            builder.beginDocument(index: index)
            builder.append("isCached", bool: false)
            stage(other, nil).write(withCounts: false, into: &builder)
            builder.end()
        }
        builder.end()
        builder.end()
        if verbosity != .queryPlanner { writeExecution(query, &builder) }
    }

    private func isFiltered(_ query: FindQuery) -> Bool {
        guard let collection, case .filter = query.steering(in: collection) else { return false }
        return true
    }

    private func writeExecution(_ query: FindQuery, _ builder: inout DocumentBuilder) {
        builder.beginDocument("executionStats")
        builder.append("executionSuccess", bool: true)
        writeRun(query, profile, "executionTimeMillis", &builder)
        if verbosity == .allPlansExecution {
            builder.beginArray("allPlansExecution")
            // The plan was chosen without a race; where there is no other, there is nothing to compare.
            let runs = trials.isEmpty ? [] : [profile].compactMap { $0 } + trials
            for (index, run) in runs.enumerated() {
                builder.beginDocument(index: index)
                writeRun(run.query, run, "executionTimeMillisEstimate", &builder)
                builder.end()
            }
            builder.end()
        }
        builder.end()
    }

    private func writeRun(
        _ query: FindQuery, _ profile: QueryProfile?, _ time: StaticString, _ builder: inout DocumentBuilder
    ) {
        let root = stage(query, profile)
        builder.append("nReturned", count: root.returned ?? 0)
        builder.append(time, count: profile?.milliseconds ?? 0)
        builder.append("totalKeysExamined", count: root.total(\.examinedKeys))
        builder.append("totalDocsExamined", count: root.total(\.examinedDocuments))
        builder.beginDocument("executionStages")
        root.write(withCounts: true, into: &builder)
        builder.end()
    }

    private func stage(_ query: FindQuery, _ profile: QueryProfile?) -> ExplainedStage {
        guard let collection else {
            let nothing = ExplainedStage("EOF")
            return action.map { .acting($0, over: nothing, verbosity == .queryPlanner ? nil : 0) } ?? nothing
        }
        return ExplainedStage(query, in: collection, projection: projection, action: action, profile)
    }

    /// Where the command runs, and the SQL that it sends.
    private func writeMartlet(
        _ query: FindQuery, _ collection: Collection, _ engine: StorageEngine, _ builder: inout DocumentBuilder
    ) {
        builder.beginDocument("martlet")
        let pool = engine.pool(for: query, in: collection)
        let isSingle = stages == nil && query.singleKey(in: collection) != nil
        let isShort =
            action == nil && stages == nil
            && engine.readsFewRows(query, in: collection, FindArguments.defaultBatchSize)
        let isAnalytic = !isSingle && pool != .general
        builder.append("pool", string: isSingle || isShort ? "readers" : pool.rawValue)
        builder.append("isolation", string: isAnalytic ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED")
        builder.append("estimatedRows", int64: engine.estimates[collection])
        let isCount = action == "COUNT" && query.countsBySQL(in: collection)
        let statements = query.shownStatements(in: collection, countsBySQL: isCount, isPointRead: isSingle)
        let isWrite = ["UPDATE", "DELETE"].contains(action)
        Self.write(statements + (isWrite ? [collection.shownWrite(removes: action == "DELETE")] : []), into: &builder)
        if let profile { Self.write(profile.postgresPlans, &builder) }
        if let fields = query.narrowing?.paths {
            builder.beginArray("fields")
            for (index, path) in fields.enumerated() { builder.append(index: index, string: path) }
            builder.end()
        }
        if let countedIndex { builder.append("countedKeys", string: countedIndex) }
        if !joins.isEmpty { writeJoins(into: &builder) }
        builder.end()
    }

    private func writeJoins(into builder: inout DocumentBuilder) {
        builder.beginArray("joins")
        for (index, join) in joins.enumerated() {
            builder.beginDocument(index: index)
            builder.append("stage", string: join.stage)
            builder.append("from", string: join.collection)
            if let path = join.path { builder.append("foreignField", string: path) }
            builder.append("strategy", string: join.method.rawValue)
            builder.append("unwinds", bool: join.unwinds)
            if let fields = join.fields {
                builder.beginArray("fields")
                for (number, path) in fields.enumerated() { builder.append(index: number, string: path) }
                builder.end()
            }
            builder.end()
        }
        builder.end()
    }

    static func write(_ statements: [ShownStatement], into builder: inout DocumentBuilder) {
        builder.beginArray("statements")
        for (index, statement) in statements.enumerated() {
            builder.beginDocument(index: index)
            builder.append("sql", string: statement.text)
            builder.beginArray("parameters")
            for (number, parameter) in statement.parameters.enumerated() {
                builder.append(index: number, string: parameter)
            }
            builder.end()
            builder.end()
        }
        builder.end()
    }

    private static func write(_ plans: [String], _ builder: inout DocumentBuilder) {
        builder.beginArray("postgresql")
        for (index, plan) in plans.enumerated() {
            // PostgreSQL's JSON is ours to pass on, not to judge.
            let parsed = (try? Document(extendedJSON: "{\"plan\": \(plan)}")) ?? .empty
            builder.append(index: index, .document(parsed))
        }
        builder.end()
    }

    private func writeServer(_ server: ServerState, _ builder: inout DocumentBuilder) {
        builder.beginDocument("serverInfo")
        builder.append("host", string: server.identity.hostName)
        builder.append("version", string: CompatibleVersion.text)
        builder.append("gitVersion", string: "martlet \(server.identity.version)")
        builder.end()
        builder.beginDocument("serverParameters")
        builder.end()
    }
}

extension Explanation {
    /// With its choice of indexes made, and run when that is asked for.
    func settled(_ command: Document, _ context: CommandContext) async throws(CommandError) -> Explanation {
        var settled = self
        settled.verbosity = context.verbosity
        settled.projection = command.withRaw { command in
            // That of findAndModify is called fields.
            stages == nil && action == nil ? command["projection"]?.document.map(Document.init(copying:)) : nil
        }
        guard var query else { return settled }
        let shape = query.planShape(with: plannedStages)
        let indexes = collection?.readyIndexes.map(\.definition.name) ?? []
        settled.shape = (shape.hash, shape.key(amongIndexes: indexes))
        guard let collection else { return settled }
        if let operation = context.operation { query.deadline = context.deadline(of: operation.request) }
        let asked = action == "COUNT" ? query.counting : query
        await context.engine.prepareStatistics(of: collection)
        settled.query = try await context.engine.mapped { () async throws(StorageError) in
            try asked.checkNearIndex(in: collection)
            return try asked.choosingAccess(in: collection, counting: false, describing: true)
        }
        settled.rejected = settled.query?.alternatives(in: collection) ?? []
        guard context.verbosity != .queryPlanner else { return settled }
        let counts = action == "COUNT"
        settled.profile = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.profile(asked, in: collection, counts: counts)
        }
        guard context.verbosity == .allPlansExecution else { return settled }
        for other in settled.rejected.prefix(Self.trialsMax) {
            var trial = other
            trial.limit = min(trial.limit ?? Self.trialDocumentsMax, Self.trialDocumentsMax)
            let tried = trial
            settled.trials.append(
                try await context.engine.mapped { () async throws(StorageError) in
                    try await context.engine.profile(tried, in: collection, counts: counts, asksPostgres: false)
                })
        }
        return settled
    }

    /// As many documents as MongoDB lets plans race for, and more plans than anybody reads.
    private static let trialDocumentsMax = 101
    private static let trialsMax = 20

    /// Stages of which the planner knows nothing.
    private static let unplanned: Set<String> = [
        "$unwind", "$addFields", "$limit", "$skip", "$set", "$unset", "$sample", "$out", "$facet", "$unionWith",
        "$redact", "$fill", "$merge",
    ]

    /// The stages that the query does not do, but a planner would look at.
    private var plannedStages: [Document] {
        (stages ?? []).filter { stage in
            stage.withRaw { $0.firstElement.map { !Self.unplanned.contains($0.key.string) } ?? false }
        }
    }
}
