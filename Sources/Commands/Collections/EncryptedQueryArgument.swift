internal import BSON
internal import CommandModel

/// How an encrypted field can be asked for: an element of `queries` of one of `encryptedFields`.
struct EncryptedQueryArgument {
    enum Kind: String {
        case equality, range
        case suffixPreview, prefixPreview, substringPreview
    }

    private var kind: Kind
    private var min: Value?
    private var max: Value?
    private var trimFactor: Int64?
    private var precision: Int64?
    private var lengthMax: Int64?
    private var queryLengthMin: Int64?
    private var queryLengthMax: Int64?
    private var isCaseSensitive: Bool?
    private var isDiacriticSensitive: Bool?

    init(_ argument: Argument) throws(CommandError) {
        guard let document = argument.value.document else { throw argument.wrongType(expected: "object") }
        guard let name = document["queryType"] else {
            throw .missingField("create.encryptedFields.fields.queries.queryType")
        }
        let word = try Argument(
            command: "create.encryptedFields.fields.queries", key: RawKey("queryType"), value: name
        ).word(of: Self.words)
        kind = Kind(rawValue: word) ?? .equality
        var taken = self
        try argument.forEachField(named: "create.encryptedFields.fields.queries") { option throws(CommandError) in
            try taken.take(option)
        }
        self = taken
    }

    private static let words: [String] = [
        Kind.equality, .range, .suffixPreview, .prefixPreview, .substringPreview,
    ].map(\.rawValue)

    private mutating func take(_ option: Argument) throws(CommandError) {
        switch option.key {
        case "queryType": return
        case "min": min = Value(copying: option.value)
        case "max": max = Value(copying: option.value)
        case "contention": _ = try option.exactInteger(atLeast: 0)
        case "sparsity": _ = try option.exactInteger(atLeast: 1)
        case "trimFactor": trimFactor = try option.exactInteger(atLeast: 0)
        case "precision": precision = try option.exactInteger(atLeast: 0)
        case "strMaxLength": lengthMax = try option.exactInteger(atLeast: 1)
        case "strMinQueryLength": queryLengthMin = try option.exactInteger(atLeast: 1)
        case "strMaxQueryLength": queryLengthMax = try option.exactInteger(atLeast: 1)
        case "caseSensitive": isCaseSensitive = try option.ifPresent(Argument.bool)
        case "diacriticSensitive": isDiacriticSensitive = try option.ifPresent(Argument.bool)
        default: throw option.unknownField()
        }
    }

    /// Whether the field, which is of `type`, can be asked for so.
    func check(_ type: BSONType) throws(CommandError) {
        switch kind {
        case .equality: try checkEquality(type)
        case .range: try checkRange(type)
        case .suffixPreview, .prefixPreview, .substringPreview: try checkText(type)
        }
    }

    /// One kind of queries, or those of beginnings and ends of a text together.
    static func checkTogether(_ queries: [EncryptedQueryArgument]) throws(CommandError) {
        guard queries.count <= 2 else {
            throw CommandError(ErrorCode(9_783_413), "An encrypted field has at most 2 query types")
        }
        guard queries.count == 2 else { return }
        let kinds = Set(queries.map(\.kind))
        guard kinds == [.suffixPreview, .prefixPreview] else {
            throw CommandError(
                ErrorCode(9_783_414),
                "Two query types of an encrypted field can only be 'suffixPreview' and 'prefixPreview'")
        }
    }

    private func checkEquality(_ type: BSONType) throws(CommandError) {
        switch type {
        case .double, .decimal128, .document, .array:
            throw CommandError(ErrorCode(6_338_405), "Type '\(type.alias)' is not supported for equality queries")
        default: return
        }
    }

    private func checkText(_ type: BSONType) throws(CommandError) {
        guard type == .string else {
            throw CommandError(
                ErrorCode(9_783_400), "The query type '\(kind.rawValue)' needs the type 'string', not '\(type.alias)'")
        }
        if kind == .substringPreview, lengthMax == nil { throw missing("strMaxLength", 9_783_401) }
        guard let queryLengthMin else { throw missing("strMinQueryLength", 9_783_402) }
        guard let queryLengthMax else { throw missing("strMaxQueryLength", 9_783_403) }
        guard isCaseSensitive != nil else { throw missing("caseSensitive", 9_783_404) }
        guard isDiacriticSensitive != nil else { throw missing("diacriticSensitive", 9_783_405) }
        guard queryLengthMin <= queryLengthMax else {
            throw CommandError(ErrorCode(9_783_406), "strMinQueryLength must not be greater than strMaxQueryLength")
        }
    }

    private func missing(_ name: StaticString, _ code: Int32) -> CommandError {
        CommandError(ErrorCode(code), "\(name) is needed for queries of type '\(kind.rawValue)'")
    }
}

// Ranges.
extension EncryptedQueryArgument {
    private func checkRange(_ type: BSONType) throws(CommandError) {
        switch type {
        case .int32, .int64, .double, .decimal128, .date: break
        default:
            throw CommandError(ErrorCode(6_775_201), "Type '\(type.alias)' is not supported for range queries")
        }
        for bound in [min, max] {
            guard let bound, bound.type != type else { continue }
            throw CommandError(
                ErrorCode(7_018_200),
                "The bounds of a range must be of the field's type '\(type.alias)', not '\(bound.type.alias)'")
        }
        if let min, let max {
            let isAscending = min.withRaw { min in max.withRaw { min.compare(to: $0) < 0 } }
            guard isAscending else {
                throw CommandError(ErrorCode(6_720_005), "The minimum of a range must be less than its maximum")
            }
        }
        if precision != nil, type != .double, type != .decimal128 {
            throw CommandError(.badValue, "'precision' is for ranges of doubles and decimals only")
        }
        if let trimFactor, trimFactor >= bits(of: type) {
            throw CommandError(
                ErrorCode(8_574_000),
                "'trimFactor' must be less than the \(bits(of: type)) bits that a value of the range takes")
        }
    }

    /// How many bits a value of the range takes.
    private func bits(of type: BSONType) -> Int64 {
        let whole: Int64 = type == .int32 ? 32 : type == .decimal128 ? 128 : 64
        guard let min = min?.wholeNumber, let max = max?.wholeNumber, max >= min else { return whole }
        return Int64(UInt64.bitWidth - (UInt64(bitPattern: max) &- UInt64(bitPattern: min)).leadingZeroBitCount)
    }
}

extension Value {
    /// An integer, or the milliseconds of a date.
    fileprivate var wholeNumber: Int64? {
        withRaw { raw in raw.int64 ?? raw.int32.map { Int64($0) } ?? raw.date }
    }
}

extension Argument {
    /// A number without a fraction; nil for null.
    fileprivate func exactInteger(atLeast least: Int64) throws(CommandError) -> Int64? {
        guard let number = try ifPresent(Argument.number) else { return nil }
        guard let integer = number.asInt64Exact else {
            throw CommandError(.failedToParse, "Expected an integer for '\(name)'")
        }
        guard integer >= least else {
            throw CommandError(
                .badValue, "BSON field '\(key.string)' value must be >= \(least), actual value '\(integer)'")
        }
        return integer
    }

    private func number() throws(CommandError) -> Number {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        return number
    }
}
