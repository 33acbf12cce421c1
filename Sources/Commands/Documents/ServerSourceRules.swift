internal import CommandModel
internal import Query
internal import Storage

extension ServerSource {
    /// Refuses the stage where the command with it is not on what the stage tells of.
    func check(_ arguments: AggregateArguments, _ request: CommandRequest) throws(CommandError) {
        guard !arguments.explains else {
            throw CommandError(.notImplemented, "\(name) cannot be explained yet")
        }
        if request.shared.apiStrict, !isInStableAPI {
            throw CommandError(.apiStrictError, "stage \(name) is not allowed with 'apiStrict: true' in API Version 1")
        }
        try checkInTransaction(request)
        if let level = request.shared.readConcern?.level, level != .local, !takesReadConcern {
            throw CommandError(
                .invalidOptions, "Aggregation stage \(name) cannot run with a readConcern other than 'local'")
        }
        guard isValid(hasCollection: arguments.hasCollection, request) else {
            if case .clusterCatalog = self { throw .notOnCollection(name) }
            throw CommandError(.invalidNamespace, "\(name) must be run against \(place)")
        }
    }

    func checkInTransaction(_ request: CommandRequest) throws(CommandError) {
        guard request.shared.isInTransaction else { return }
        throw CommandError(.operationNotSupportedInTransaction, "\(name) may not be run within a transaction")
    }

    private func isValid(hasCollection: Bool, _ request: CommandRequest) -> Bool {
        switch target {
        case .collection: hasCollection
        case .database: !hasCollection
        case .adminDatabase: !hasCollection && request.database == "admin"
        case .sessionsCollection: request.database == "config" && request.collectionName == "system.sessions"
        case .either: hasCollection || request.database == "admin"
        }
    }

    private var place: String {
        switch target {
        case .collection: "a collection"
        case .database: "a database: {aggregate: 1}"
        case .adminDatabase: "the 'admin' database: {aggregate: 1}"
        case .sessionsCollection: "config.system.sessions"
        case .either: "a collection, or the 'admin' database: {aggregate: 1}"
        }
    }
}

extension Pipeline {
    /// Tells a `$geoNear` that names no field where the geometries stand: where the collection's only geographic index
    /// of its kind has them.
    ///
    /// - Throws: IndexNotFound (27) when there is none, or more than one; NoQueryExecutionPlans (291) when it is of
    ///   another kind, or the hint names another index.
    mutating func locateGeoNear(in collection: Collection?, _ hint: Hint) throws(CommandError) {
        guard case .geoNear(let stage)? = stages.first else { return }
        let near = stage.namesField ? stage : try Self.located(stage, in: collection)
        stages[0] = .geoNear(near)
        guard let collection else { return }
        switch hint {
        case .natural: throw CommandError(.badValue, "$geoNear reads an index, and the hint forbids it")
        case .id: throw NearCondition.needsIndex
        case .none, .index: try near.condition?.checkIndex(in: collection, hint: hint.index)
        }
    }

    private static func located(_ near: GeoNear, in collection: Collection?) throws(CommandError) -> GeoNear {
        let fields = collection?.readyIndexes.filter { !$0.definition.isHidden }.flatMap(\.definition.fields) ?? []
        // A flat index goes before a spherical one.
        let paths = [IndexDefinition.Field.Kind.plane, .sphere].map { kind in
            fields.filter { $0.kind == kind }.map(\.path)
        }
        guard let candidates = paths.first(where: { !$0.isEmpty }) else {
            throw CommandError(
                .indexNotFound, "$geoNear requires a 2d or 2dsphere index, or the field's name as 'key'")
        }
        guard let path = candidates.first, candidates.count == 1 else {
            throw CommandError(
                .indexNotFound, "There is more than one geographic index: $geoNear needs the field's name as 'key'")
        }
        return try near.located(at: path)
    }

    /// The same of the pipeline of a command on a view, which stands behind that of the view.
    func checkGeoNear(behind view: Pipeline) throws(CommandError) {
        guard case .geoNear? = stages.first, !view.stages.isEmpty else { return }
        throw CommandError(ErrorCode(40603), "$geoNear is only valid as the first stage in a pipeline")
    }
}
