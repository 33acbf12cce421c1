package import BSON

/// What a collection is beside a table of documents, as its options say.
package enum CollectionKind: Sendable {
    case plain
    case capped(CappedLimits)
    /// Kept in the order of `_id`.
    case clustered
    case timeseries(TimeseriesFields)
    case view(ViewDefinition)

    package init(_ options: Document) {
        self = options.withRaw { raw in
            if let limits = CappedLimits(raw) { return .capped(limits) }
            if let view = ViewDefinition(raw) { return .view(view) }
            if let fields = raw["timeseries"]?.document.flatMap(TimeseriesFields.init) { return .timeseries(fields) }
            return raw["clusteredIndex"]?.document == nil ? .plain : .clustered
        }
    }
}

extension CollectionKind {
    var hasIDIndex: Bool {
        switch self {
        case .plain, .capped: true
        case .clustered, .timeseries, .view: false
        }
    }

    var view: ViewDefinition? {
        if case .view(let definition) = self { return definition }
        return nil
    }
}

/// How much a capped collection may hold.
package struct CappedLimits: Sendable, Equatable {
    package var bytes: Int64
    /// 0 means any number.
    package var documents: Int64

    package init(bytes: Int64, documents: Int64 = 0) {
        self.bytes = bytes
        self.documents = documents
    }

    fileprivate init?(_ options: RawDocument) {
        guard options["capped"]?.bool == true, let size = options["size"]?.number?.asInt64Exact else { return nil }
        self.init(bytes: size, documents: max(0, options["max"]?.number?.asInt64Exact ?? 0))
    }
}

/// The fields of a measurement that a time series knows by name.
package struct TimeseriesFields: Sendable {
    package let time: String
    package let meta: String?

    fileprivate init?(_ options: RawDocument) {
        guard let time = options["timeField"]?.string else { return nil }
        self.time = time
        meta = options["metaField"]?.string
    }
}

extension Collection {
    package var isCapped: Bool {
        if case .capped = kind { return true }
        return false
    }

    package var isClustered: Bool {
        if case .clustered = kind { return true }
        return false
    }

    package var timeseries: TimeseriesFields? {
        if case .timeseries(let fields) = kind { return fields }
        return nil
    }

    /// What it shows when it is a view.
    package var view: ViewDefinition? { kind.view }

    /// Whether `id` holds the key of `_id`. Measurements of a time series are in the order of their time instead, and
    /// two may have the same `_id`.
    package var isKeyedByID: Bool { timeseries == nil }

    /// Whether the natural order is that of `id`, not that of the insertion.
    var isNaturallyOrderedByKey: Bool { isClustered || timeseries != nil }
}
