internal import BSON

// # What a pipeline needs of the documents that it reads
//
// A stage that rewrites or keeps documents costs by their size, whatever is asked of them in the end: `$unwind` before
// `$group` writes the whole document for each element. So the pipeline is asked from its end to its beginning what it
// reads, and the documents are narrowed to that where they come in (``Narrowing``).
//
// Each stage says what it needs to give what is needed of it. A stage that fails for a document must fail for the
// narrowed one, too: so all that it reads counts, also for what nobody asks for afterwards.
extension Pipeline {
    /// What is left of documents for this pipeline; nil when all of them is needed, or when it would not pay.
    package var narrowing: Narrowing? { rewrites ? narrowingOfKept : nil }

    /// Whether documents are rewritten or kept on their way, so that they should be small.
    var rewrites: Bool {
        let rewriting = stages.firstIndex { !$0.onlyPasses }
        guard let rewriting else { return false }
        return stages[rewriting].carriesDocuments || rewriting > 0
    }

    /// The same where the documents are kept, and sorted, before the pipeline gets them.
    package var narrowingOfKept: Narrowing? {
        let needs = needs(for: .whole)
        return needs.isWhole ? nil : Narrowing(needs)
    }

    /// - Parameter after: what is asked of what comes out.
    func needs(for after: FieldNeeds) -> FieldNeeds {
        stages.reversed().reduce(after) { $1.needs(for: $0) }
    }
}

extension Stage {
    /// What the stage must get so that what is needed behind it comes out.
    func needs(for after: FieldNeeds) -> FieldNeeds {
        var needs = after
        switch self {
        case .limit, .skip, .sample: break
        case .match(let filter): needs.read(filter)
        case .sort(let pattern, _): needs.read(pattern)
        case .projection(let projection): needs = projection.needs(for: after)
        case .replaceRoot(let root):
            needs = .shape
            withExtendedLifetime(root.program) { needs.read(root.program.root) }
        case .unwind(let unwind): unwind.addNeeds(to: &needs)
        case .group(let group):
            needs = .shape
            group.addNeeds(to: &needs)
        case .windowFields(let fields): fields.addNeeds(to: &needs)
        case .bucketAuto(let buckets):
            needs = .shape
            buckets.addNeeds(to: &needs)
        case .densify(let densify): densify.addNeeds(to: &needs)
        case .lookup(let lookup, let use): lookup.addNeeds(use, to: &needs)
        case .graphLookup(let graph): graph.addNeeds(to: &needs)
        case .unionWith: break
        case .facet(let facet):
            needs = .shape
            for output in facet.outputs { needs.formUnion(output.pipeline.needs(for: .whole)) }
        case .redact, .geoNear: needs = .whole
        }
        return needs
    }

    /// Whether documents go through it as they are, and are not kept.
    fileprivate var onlyPasses: Bool {
        switch self {
        case .match, .limit, .skip: true
        default: false
        }
    }

    /// Whether documents come out, or are kept meanwhile, with fields that nobody asked the stage for.
    fileprivate var carriesDocuments: Bool {
        switch self {
        case .group, .replaceRoot: false
        case .projection(let projection): projection.program.mode != .inclusion
        default: true
        }
    }
}

extension Unwind {
    /// The elements are asked for what is needed behind the stage; how many there are decides in any case.
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            needs.insert(path.nodes, .shape)
            if !indexPath.isEmpty { needs.insert(indexPath.nodes, .shape) }
        }
    }
}

extension GraphLookup {
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            needs.read(start.program.root)
            needs.insert(asPath.nodes, .shape)
        }
    }
}

extension Group {
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        if let elements {
            elements.behind.addNeeds(to: &needs)
            return elements.unwind.addNeeds(to: &needs)
        }
        withExtendedLifetime(self) {
            needs.read(id)
            for field in fields.nodes { needs.read(field.accumulator) }
        }
    }
}

extension BucketAuto {
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            needs.read(groupBy)
            for field in fields.nodes { needs.read(field.accumulator) }
        }
    }
}

extension WindowFields {
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            if let partitionBy { needs.read(partitionBy) }
            if let positionPath { needs.read(positionPath) }
            needs.read(sortBy)
            for output in outputs {
                needs.read(output.function)
                needs.insert(output.path.nodes, .shape)
            }
        }
    }
}

extension Densify {
    fileprivate func addNeeds(to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            needs.insert(field.nodes)
            for path in partition { needs.insert(path.nodes) }
        }
    }
}

extension Projection {
    fileprivate func needs(for after: FieldNeeds) -> FieldNeeds {
        withExtendedLifetime(program) {
            switch program.mode {
            case .inclusion: program.needsOfInclusion(for: after)
            case .exclusion: program.needsOfExclusion(for: after)
            case .addition: program.needsOfAddition(for: after)
            }
        }
    }
}

extension ProjectionProgram {
    fileprivate func needsOfInclusion(for after: FieldNeeds) -> FieldNeeds {
        var needs = FieldNeeds.shape
        if showsID, fields.index(of: RawKey("_id")) == nil, let id = after[RawKey("_id")] {
            needs.insert([RawKey("_id")], id)
        }
        Self.include(fields, at: [], for: after, in: &needs)
        return needs
    }

    private static func include(
        _ fields: ProjectionFields, at path: [RawKey], for after: FieldNeeds, in needs: inout FieldNeeds
    ) {
        for field in fields.list.nodes {
            let inner = path + [field.key]
            switch field.action {
            case .include: if let wanted = after[field.key] { needs.insert(inner, wanted) }
            case .compute(let expression): needs.read(expression)
            case .fields(let fields):
                // How often something is computed within depends on what is there.
                needs.insert(inner, .shape)
                include(fields, at: inner, for: after[field.key] ?? .shape, in: &needs)
            case .exclude, .slice, .elementMatch, .positional, .metadata: needs = .whole
            }
        }
    }

    fileprivate func needsOfExclusion(for after: FieldNeeds) -> FieldNeeds {
        var needs = after
        if !showsID { needs.remove(RawKey("_id")) }
        for field in fields.list.nodes {
            switch field.action {
            case .exclude: needs.remove(field.key)
            case .fields: break
            case .include, .compute, .slice, .elementMatch, .positional, .metadata: return .whole
            }
        }
        return needs
    }

    /// A field that is replaced is needed where the new one is: it says where that stands.
    fileprivate func needsOfAddition(for after: FieldNeeds) -> FieldNeeds {
        var needs = after
        Self.add(fields, at: [], in: &needs)
        return needs
    }

    private static func add(_ fields: ProjectionFields, at path: [RawKey], in needs: inout FieldNeeds) {
        for field in fields.list.nodes {
            let inner = path + [field.key]
            switch field.action {
            case .compute(let expression): needs.read(expression)
            case .fields(let fields):
                needs.insert(inner, .shape)
                add(fields, at: inner, in: &needs)
            case .include, .exclude, .slice, .elementMatch, .positional, .metadata: needs = .whole
            }
        }
    }
}
