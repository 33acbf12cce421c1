internal import BSON

// Which filter, asked before a stage, lets the same documents out of it as a filter behind it.
extension Stage {
    /// The filter to ask before the stage in the place of one behind it; nil where there is none.
    func letting(_ filter: Filter) -> Filter? {
        if case .sort(_, nil) = self { return filter }
        guard !filter.mustStay else { return nil }
        switch self {
        case .projection(let projection): return filter.renamed { projection.origin(of: $0) }
        case .replaceRoot(let root): return filter.renamed { root.origin(of: $0) }
        case .unwind(let unwind): return filter.renamed { unwind.keeps($0) ? $0 : nil }
        case .group(let group):
            guard let key = group.keyField, filter.decidesByOrder else { return nil }
            return filter.renamed { $0 == "_id" ? key : nil }
        case .windowFields(let fields):
            guard let key = fields.keyField, filter.decidesByOrder else { return nil }
            return filter.renamed { $0 == key ? key : nil }
        case .lookup(let lookup, let use):
            return filter.renamed { name in
                let index = use.unwind?.indexPath.nodes.first
                return name != lookup.asPath[0] && index.map { name != $0 } ?? true ? name : nil
            }
        case .graphLookup(let graph): return filter.renamed { $0 != graph.asPath[0] ? $0 : nil }
        default: return nil
        }
    }
}

extension Expression {
    /// The field that it is the value of, just so. The text score is none that a query could read.
    fileprivate var field: RawKey? {
        guard case .path(let path) = self, path.slot == Evaluator.rootSlot, path.steps.count == 1,
            !path.steps[0].bytes.elementsEqual(TextScore.fieldName)
        else { return nil }
        return path.steps[0]
    }
}

extension Projection {
    /// The field that comes out under a name as it went in, with all that is in it.
    func origin(of name: RawKey) -> RawKey? {
        withExtendedLifetime(program) {
            if let index = program.fields.index(of: name) {
                switch program.fields.list[index].action {
                case .include: return name
                case .compute(let expression): return expression.field
                default: return nil
                }
            }
            if program.mode == .addition { return name }
            return (name == "_id" ? program.showsID : program.mode == .exclusion) ? name : nil
        }
    }
}

extension CompiledExpression {
    fileprivate func origin(of name: RawKey) -> RawKey? {
        withExtendedLifetime(program) {
            guard case .object(let fields) = program.root else { return nil }
            return fields.nodes.first { $0.key == name }?.value.field
        }
    }
}

extension Unwind {
    fileprivate func keeps(_ name: RawKey) -> Bool {
        withExtendedLifetime(self) {
            path[0] != name && (indexPath.isEmpty || indexPath[0] != name)
        }
    }
}

extension Group {
    /// The field by whose value documents are grouped.
    fileprivate var keyField: RawKey? { withExtendedLifetime(self) { id.field } }
}

extension WindowFields {
    /// The field by whose value documents are parted, if it comes out as it went in.
    fileprivate var keyField: RawKey? {
        withExtendedLifetime(self) {
            guard let key = partitionBy?.field, outputs.allSatisfy({ $0.path[0] != key }) else { return nil }
            return key
        }
    }
}
