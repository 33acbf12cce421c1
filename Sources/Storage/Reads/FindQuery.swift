package import BSON
package import CommandModel
package import NIOCore
package import Query

/// A compiled `find`: what to read, what to keep of it, in which order.
package struct FindQuery: Sendable {
    package var filter: Filter
    package var projection: Projection?
    package var sort: SortPattern?
    package var skip = 0
    /// nil means all.
    package var limit: Int?
    package var deadline = Deadline.never
    package var preference = ReadRouting.Preference.bySize
    /// `$natural` in the sort or the hint.
    package var naturalDescending = false

    package init(filter: Filter) {
        self.filter = filter
    }

    /// Whether all matching documents must be seen before the first can be returned.
    package var isBlockingSort: Bool {
        if case .fields? = sort?.order { return true }
        return false
    }

    /// How many matching documents are needed, those to skip included; nil means all, or more than can be counted.
    package var matchesNeeded: Int? {
        guard let limit else { return nil }
        let (sum, overflow) = limit.addingReportingOverflow(skip)
        return overflow ? nil : sum
    }

    /// The rows to read from `collection`, narrowed by what the filter says about `_id`.
    package func scanPlan(_ collection: Collection) -> ScanPlan {
        var plan = ScanPlan(collection, order: scanOrder)
        plan.narrow(by: filter.identity)
        return plan
    }

    private var scanOrder: ScanPlan.Order {
        switch sort?.order {
        case .id(let ascending)?: .id(descending: !ascending)
        case .natural(let ascending)?: .insertion(descending: !ascending)
        case .fields?: .unordered
        case nil: .insertion(descending: naturalDescending)
        }
    }
}

extension Filter {
    /// ``matches(_:)`` for the visitor of a scan.
    @inline(__always)
    func accepts(_ document: RawDocument) throws(StorageError) -> Bool {
        do throws(CommandError) { return try matches(document) } catch { throw .command(error) }
    }
}

extension ScanPlan {
    /// Narrows by what the filter says about `_id`.
    ///
    /// A bound that is cut (too long to be held whole) would hide neighbours with the same prefix, so it is left out;
    /// a cut point is as good as a whole one. The filter decides anyway.
    package mutating func narrow(by identity: IDConstraint) {
        switch identity.shape {
        case .any: break
        case .points(let values): points = values.map { DocumentKey.encode($0) }
        case .range(let low, let high):
            guard let type = (low ?? high)?.value.type else { return }
            let bracket = KeyEncoder.bracket(of: type)
            leavesOutBound = [low, high].contains { $0 != nil && $0.flatMap(Self.bound) == nil }
            lower = low.flatMap(Self.bound) ?? Bound(key: ByteBuffer(bytes: [bracket.first]), isInclusive: true)
            upper = high.flatMap(Self.bound) ?? Bound(key: ByteBuffer(bytes: [bracket.end]), isInclusive: false)
        }
    }

    private static func bound(_ bound: IDConstraint.Bound) -> Bound? {
        let key = DocumentKey.encode(bound.value)
        return DocumentKey.isCut(key) ? nil : Bound(key: key, isInclusive: bound.isInclusive)
    }
}
