internal import BSON
internal import CommandModel

/// `$regexMatch $regexFind $regexFindAll`.
enum RegexOperator {
    /// With the expression, where it is constant.
    case match(Unmanaged<CompiledRegex>?)
    case find(Unmanaged<CompiledRegex>?)
    case findAll(Unmanaged<CompiledRegex>?)

    static let rules: [OperatorRule] = [
        .special("$regexMatch", .regex(.match(nil))), .special("$regexFind", .regex(.find(nil))),
        .special("$regexFindAll", .regex(.findAll(nil))),
    ]

    static let operandNames = NamedOperands(
        required: ["input", "regex"], optional: ["options"], notDocument: ErrorCode(51103), unknown: ErrorCode(31024),
        absent: [ErrorCode(31022), ErrorCode(31023)])

    private var compiled: Unmanaged<CompiledRegex>? {
        switch self {
        case .match(let regex), .find(let regex), .findAll(let regex): regex
        }
    }

    func with(_ regex: Unmanaged<CompiledRegex>) -> RegexOperator {
        switch self {
        case .match: .match(regex)
        case .find: .find(regex)
        case .findAll: .findAll(regex)
        }
    }

    /// Operands: text, expression, options.
    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        if let compiled { return try answer(input, compiled, run) }
        let regex = try Self.regex(try operands[1].evaluate(run), try operands[2].evaluate(run), run)
        return try answer(input, regex, run)
    }

    private func answer(
        _ input: RawValue?, _ regex: Unmanaged<CompiledRegex>?, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let text = input.isNullish ? nil : try StringOperator.text(input, 51104, "regular expression's input")
        guard let text, let regex else { return try nothing(run) }
        // Kept by the program or by the evaluator, which both outlive this.
        let kept = regex.takeUnretainedValue()
        try run.spend(Self.units(for: text))
        switch self {
        case .match: return try run.bool(kept.finds(in: text))
        case .find: return try Self.first(kept, text, run)
        case .findAll: return try Self.all(kept, text, run)
        }
    }

    /// A search may take many steps, up to the matcher's limit, even where it finds something near.
    private static func units(for text: UnsafeRawBufferPointer) -> Int { 1024 + text.count / 16 }

    private func nothing(_ run: Evaluator) throws(CommandError) -> RawValue {
        switch self {
        case .match: try run.bool(false)
        case .find: .nothing(.null)
        case .findAll: try run.popArray(from: run.stack.count)
        }
    }
}

// The expression.
extension RegexOperator {
    /// - Returns: nil for null.
    private static func regex(
        _ value: RawValue?, _ optionsValue: RawValue?, _ run: Evaluator
    ) throws(CommandError) -> Unmanaged<CompiledRegex>? {
        guard let (pattern, options) = try source(value, optionsValue) else { return nil }
        return try run.regexes.regex(pattern: pattern, options: options)
    }

    /// Pattern and options, checked. Nil for null.
    static func source(
        _ value: RawValue?, _ optionsValue: RawValue?
    ) throws(CommandError) -> (pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer)? {
        let given = optionsValue.isNullish ? nil : try options(optionsValue)
        if value.isNullish { return nil }
        if let regex = value?.regex {
            guard given == nil || regex.options.isEmpty else {
                throw CommandError(
                    ErrorCode(51107), "found regex option(s) specified in both 'regex' and 'option' fields")
            }
            return (regex.pattern, given ?? regex.options)
        }
        guard let value, value.type == .string, let pattern = value.stringBytes else {
            throw CommandError(ErrorCode(51105), "needs 'regex' to be of type string or regex")
        }
        guard !pattern.contains(0) else {
            throw CommandError(ErrorCode(51109), "regular expression cannot contain an embedded null byte")
        }
        return (pattern, given ?? .none)
    }

    private static func options(_ value: RawValue?) throws(CommandError) -> UnsafeRawBufferPointer {
        guard let value, value.type == .string, let options = value.stringBytes else {
            throw CommandError(ErrorCode(51106), "needs 'options' to be of type string, found: \(value.typeName)")
        }
        guard !options.contains(0) else {
            throw CommandError(ErrorCode(51110), "regular expression options cannot contain an embedded null byte")
        }
        return options
    }

    static func compile(
        _ pattern: UnsafeRawBufferPointer, _ options: UnsafeRawBufferPointer
    ) throws(CommandError) -> CompiledRegex {
        do throws(CommandError) {
            return try CompiledRegex(pattern: pattern, options: options, source: .nothing(.null))
        } catch {
            // A filter that is no regular expression has another code.
            throw error.code.number == 51091 ? CommandError(ErrorCode(51111), error.message) : error
        }
    }
}

// The matches.
extension RegexOperator {
    private static func first(
        _ regex: CompiledRegex, _ text: UnsafeRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        var result = RawValue.nothing(.null)
        try regex.eachMatch(in: text) { match throws(CommandError) in
            result = try document(match, index: text.slice(0..<match.range.lowerBound).codePointCount, text, run)
            return false
        }
        return result
    }

    private static func all(
        _ regex: CompiledRegex, _ text: UnsafeRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let base = run.stack.count
        var (counted, index) = (0, 0)
        try regex.eachMatch(in: text) { match throws(CommandError) in
            try run.spend(units(for: text))
            index += text.slice(counted..<match.range.lowerBound).codePointCount
            counted = match.range.lowerBound
            try run.push(try document(match, index: index, text, run))
            return true
        }
        return try run.popArray(from: base)
    }

    /// `{match:, idx:, captures: []}`; a group without a part in the match is null.
    private static func document(
        _ match: CompiledRegex.Match, index: Int, _ text: UnsafeRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let base = run.stack.count
        for group in 1..<match.groupCount {
            try run.push(
                try match.range(of: group).map { range throws(CommandError) in
                    try run.scratch.string(text.slice(range))
                } ?? .nothing(.null))
        }
        let captures = try run.popArray(from: base)
        let found = try run.scratch.string(text.slice(match.range))
        try run.stack.push(RawElement(key: RawKey("match"), value: found))
        let indexValue = try run.scratch.int32(Int32(truncatingIfNeeded: index))
        try run.stack.push(RawElement(key: RawKey("idx"), value: indexValue))
        try run.stack.push(RawElement(key: RawKey("captures"), value: captures))
        return try run.popDocument(from: base)
    }
}

/// The regular expressions that an evaluation used last, where they are not constant.
struct RegexCache {
    private var entries: [(pattern: [UInt8], options: [UInt8], regex: CompiledRegex)] = []
    private var next = 0
    private static let entriesMax = 4

    /// - Returns: an expression that the cache keeps until as many others have been asked for.
    mutating func regex(
        pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer
    ) throws(CommandError) -> Unmanaged<CompiledRegex> {
        for entry in entries where entry.pattern.elementsEqual(pattern) && entry.options.elementsEqual(options) {
            return .passUnretained(entry.regex)
        }
        let regex = try RegexOperator.compile(pattern, options)
        if entries.count < Self.entriesMax {
            entries.append((Array(pattern), Array(options), regex))
        } else {
            entries[next] = (Array(pattern), Array(options), regex)
            next = (next + 1) % Self.entriesMax
        }
        return .passUnretained(regex)
    }
}

extension ExpressionCompiler {
    /// Compiles the regular expression here if it is constant. One that is wrong stays: it may never be evaluated.
    mutating func regex(
        _ operation: RegexOperator, _ element: RawElement, _ depth: Int
    ) throws(CommandError) -> Expression {
        let operands = try operands(of: element, RegexOperator.operandNames, depth)
        guard operands[1].isConstant, operands[2].isConstant,
            let regex = withConstants({ run throws(CommandError) in
                let (pattern, options) = (try operands[1].evaluate(run), try operands[2].evaluate(run))
                return try RegexOperator.source(pattern, options).map { source throws(CommandError) in
                    try RegexOperator.compile(source.pattern, source.options)
                }
            })
        else { return .call(.regex(operation), operands) }
        return .call(.regex(operation.with(arena.keep(regex))), operands)
    }
}
