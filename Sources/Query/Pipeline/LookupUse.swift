internal import BSON
internal import CommandModel

/// What the stages behind a `$lookup` make of its array, done while the array would be made.
package struct LookupUse: Sendable {
    /// A document for each element, in the place of one with the array.
    var unwind: Unwind?
    /// Which of the unwound elements are wanted.
    var filter: Filter?
    /// What is asked of the elements.
    var needs = FieldNeeds.whole

    /// The array is what comes out.
    static let array = LookupUse()

    func accepts(_ element: RawDocument) throws(CommandError) -> Bool {
        guard let filter else { return true }
        return try filter.matches(element)
    }
}

extension Lookup {
    /// The same documents for what stands behind them at once: nil when `stage` cannot be done while they are found.
    ///
    /// Only for a field at the top: where a path leads through what is no document, what is set and taken out again
    /// leaves a trace.
    func absorbing(_ stage: Stage, _ use: LookupUse) -> LookupUse? {
        guard asPath.count == 1 else { return nil }
        var use = use
        switch stage {
        case .unwind(let unwind):
            guard use.unwind == nil, unwind.path.count == 1, unwind.path[0] == asPath[0] else { return nil }
            use.unwind = unwind
        case .match(let filter):
            guard let unwind = use.unwind, !unwind.preservesEmpty, use.filter == nil, !filter.mustStay,
                unwind.indexPath.isEmpty, let inner = filter.within(asPath[0])
            else { return nil }
            use.filter = inner
        default: return nil
        }
        return use
    }

    /// What it needs of the documents that it gets.
    func addNeeds(_ use: LookupUse, to needs: inout FieldNeeds) {
        withExtendedLifetime(self) {
            join?.addNeeds(ofLocal: &needs)
            for variable in variables { needs.read(variable.value.program.root) }
            needs.insert(asPath.nodes, .shape)
            if let path = use.unwind?.indexPath, !path.isEmpty { needs.insert(path.nodes, .shape) }
        }
    }

    /// What is asked of the documents that it finds, when `after` is asked of those that it gives.
    func needsOfElements(_ use: LookupUse, for after: FieldNeeds) -> FieldNeeds {
        var needs = after
        for name in asPath.nodes { needs = needs[name] ?? .shape }
        if let filter = use.filter { needs.read(filter) }
        return needs
    }

    /// What is left of the documents of the other collection that belong to some; nil for all of them.
    func narrowing(_ use: LookupUse) -> Narrowing? {
        guard let join, source.stages.isEmpty, collection != nil else { return nil }
        var needs = use.needs
        switch found {
        case .nothing: break
        case .pipeline(let pipeline): needs = pipeline.needs(for: needs)
        case .variablePipeline: return nil
        }
        join.addNeeds(ofForeign: &needs)
        return needs.isWhole ? nil : Narrowing(needs)
    }
}
