internal import BSON
internal import CommandModel

/// `timeseries` of `create`: checked, so that a malformed one is refused as such.
struct TimeseriesArgument {
    private var timeField: String?
    private var metaField: String?
    private var granularity: String?
    private var maxSpan: Int64?
    private var rounding: Int64?

    init(_ argument: Argument) throws(CommandError) {
        try argument.forEachField(named: "create.timeseries") { option throws(CommandError) in
            switch option.key {
            case "timeField": timeField = try option.ifPresent(Argument.fieldName)
            case "metaField": metaField = try option.ifPresent(Argument.fieldName)
            case "granularity":
                if !option.isOmitted { granularity = try option.word(of: ["seconds", "minutes", "hours"]) }
            case "bucketMaxSpanSeconds": maxSpan = try option.ifPresent(Argument.bucketSeconds)
            case "bucketRoundingSeconds": rounding = try option.ifPresent(Argument.bucketSeconds)
            default: throw option.unknownField()
            }
        }
        try checkNames()
        try checkBuckets()
    }

    /// `timeseries` of `collMod`: the buckets only.
    static func checkModification(_ argument: Argument) throws(CommandError) {
        try argument.forEachField(named: "collMod.timeseries") { option throws(CommandError) in
            switch option.key {
            case "granularity":
                if !option.isOmitted { _ = try option.word(of: ["seconds", "minutes", "hours"]) }
            case "bucketMaxSpanSeconds", "bucketRoundingSeconds": _ = try option.ifPresent(Argument.bucketSeconds)
            default: throw option.unknownField()
            }
        }
    }

    private func checkNames() throws(CommandError) {
        guard let timeField else { throw .missingField("create.timeseries.timeField") }
        for name in [timeField, metaField ?? ""] where name.utf8.contains(UInt8(ascii: ".")) {
            throw CommandError(.invalidOptions, "a field of a time series must not contain a dot: '\(name)'")
        }
        guard metaField != "_id", metaField != timeField else {
            throw CommandError(.invalidOptions, "'metaField' cannot be \"_id\" or the same as 'timeField'")
        }
    }

    private func checkBuckets() throws(CommandError) {
        guard maxSpan == rounding else {
            throw CommandError(
                .invalidOptions, "'bucketMaxSpanSeconds' and 'bucketRoundingSeconds' must be set to the same value")
        }
        guard let granularity, let maxSpan else { return }
        let expected: Int64 =
            switch granularity {
            case "seconds": 3_600
            case "minutes": 86_400
            default: 2_592_000
            }
        guard maxSpan == expected else {
            throw CommandError(.invalidOptions, "the bucket parameters do not belong to the granularity")
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
