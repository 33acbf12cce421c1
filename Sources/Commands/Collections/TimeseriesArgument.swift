internal import BSON
internal import CommandModel

/// How much time the buckets of a time series span. Measurements are plain documents here, so that nothing depends on
/// it; it is checked, kept and shown, because tools that copy collections compare it.
struct TimeseriesBuckets {
    enum Granularity: String, CaseIterable {
        case seconds
        case minutes
        case hours

        var span: Int64 {
            switch self {
            case .seconds: 3_600
            case .minutes: 86_400
            case .hours: 2_592_000
            }
        }
    }

    var granularity: Granularity?
    var maxSpan: Int64?
    var rounding: Int64?

    init() {}

    /// As they stand in the options of a collection.
    init(_ options: RawDocument) {
        granularity = options["granularity"]?.string.flatMap(Granularity.init)
        maxSpan = options["bucketMaxSpanSeconds"]?.number?.asInt64Exact
        rounding = options["bucketRoundingSeconds"]?.number?.asInt64Exact
    }

    var isEmpty: Bool { granularity == nil && maxSpan == nil && rounding == nil }

    /// What a bucket spans.
    var span: Int64 { maxSpan ?? (granularity ?? .seconds).span }

    /// - Returns: whether `option` was one of these.
    mutating func take(_ option: Argument) throws(CommandError) -> Bool {
        switch option.key {
        case "granularity":
            if !option.isOmitted {
                granularity = Granularity(rawValue: try option.word(of: Granularity.allCases.map(\.rawValue)))
            }
        case "bucketMaxSpanSeconds": maxSpan = try option.ifPresent(Argument.bucketSeconds)
        case "bucketRoundingSeconds": rounding = try option.ifPresent(Argument.bucketSeconds)
        default: return false
        }
        return true
    }

    /// - Throws: InvalidOptions (72).
    func check() throws(CommandError) {
        if let granularity {
            guard [nil, granularity.span].contains(maxSpan), rounding == nil || rounding == maxSpan else {
                throw CommandError(.invalidOptions, "the bucket parameters do not belong to the granularity")
            }
        } else if maxSpan != rounding {
            throw CommandError(
                .invalidOptions, "'bucketMaxSpanSeconds' and 'bucketRoundingSeconds' must be set to the same value")
        }
    }

    /// The fields behind the names of a measurement's fields.
    func write(into builder: inout DocumentBuilder) {
        if let maxSpan, granularity == nil {
            builder.append("bucketRoundingSeconds", int32: Int32(clamping: maxSpan))
            builder.append("bucketMaxSpanSeconds", int32: Int32(clamping: maxSpan))
        } else {
            builder.append("granularity", string: (granularity ?? .seconds).rawValue)
            builder.append("bucketMaxSpanSeconds", int32: Int32(clamping: span))
        }
    }

    /// The options of a time series with these buckets in the place of its own: they may grow, not shrink.
    func replacing(in options: Document) throws(CommandError) -> Document {
        guard !isEmpty else { return options }
        let old = options.withRaw { $0["timeseries"]?.document.map(TimeseriesBuckets.init) } ?? TimeseriesBuckets()
        guard span >= old.span else {
            throw CommandError(
                .invalidOptions,
                "Invalid transition for timeseries: a bucket must not span less than \(old.span) seconds")
        }
        let fields = options.withRaw { raw in
            Document { builder in
                for field in raw["timeseries"]?.document ?? raw {
                    switch field.key {
                    case "timeField", "metaField": builder.append(field)
                    default: continue
                    }
                }
                write(into: &builder)
            }
        }
        return options.replacing("timeseries", with: .document(fields))
    }
}

/// `timeseries` of `create`.
struct TimeseriesArgument {
    private var timeField: String?
    private var metaField: String?
    private var buckets = TimeseriesBuckets()

    /// - Parameter checksNames: whether the fields must be what `create` demands; `$out` takes any.
    init(_ argument: Argument, checksNames: Bool = true) throws(CommandError) {
        try argument.forEachField(named: "create.timeseries") { option throws(CommandError) in
            switch option.key {
            case "timeField": timeField = try option.ifPresent(Argument.fieldName)
            case "metaField": metaField = try option.ifPresent(Argument.fieldName)
            default: guard try buckets.take(option) else { throw option.unknownField() }
            }
        }
        try checkNames(all: checksNames)
        if buckets.granularity != nil, buckets.rounding != nil {
            throw CommandError(.invalidOptions, "'granularity' and 'bucketRoundingSeconds' exclude each other")
        }
        try buckets.check()
    }

    /// `timeseries` of `collMod`: the buckets only.
    static func modification(_ argument: Argument) throws(CommandError) -> TimeseriesBuckets {
        var buckets = TimeseriesBuckets()
        try argument.forEachField(named: "collMod.timeseries") { option throws(CommandError) in
            guard try buckets.take(option) else { throw option.unknownField() }
        }
        try buckets.check()
        return buckets
    }

    func write(into builder: inout DocumentBuilder) {
        builder.beginDocument("timeseries")
        builder.append("timeField", string: timeField ?? "")
        if let metaField { builder.append("metaField", string: metaField) }
        buckets.write(into: &builder)
        builder.end()
    }

    private func checkNames(all: Bool) throws(CommandError) {
        guard let timeField else { throw .missingField("create.timeseries.timeField") }
        for name in [timeField, metaField ?? ""] where name.utf8.contains(UInt8(ascii: ".")) {
            throw CommandError(.invalidOptions, "a field of a time series must not contain a dot: '\(name)'")
        }
        guard !all || metaField != "_id" && metaField != timeField else {
            throw CommandError(.invalidOptions, "'metaField' cannot be \"_id\" or the same as 'timeField'")
        }
    }
}

extension Argument {
    fileprivate func fieldName() throws(CommandError) -> String {
        let name = try string()
        guard !name.utf8.contains(0) else {
            throw CommandError(.badValue, "'\(key.string)' must not contain a null byte")
        }
        return name
    }

    fileprivate func bucketSeconds() throws(CommandError) -> Int64 {
        let seconds = try integer()
        guard (1...31_536_000).contains(seconds) else {
            throw CommandError(
                .badValue, "BSON field '\(name)' value must be from 1 to 31536000, actual value '\(seconds)'")
        }
        return seconds
    }
}
