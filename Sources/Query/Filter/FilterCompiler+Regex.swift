internal import BSON
internal import CommandModel

extension FilterCompiler {
    func regexLiteral(_ value: RawValue) throws(CommandError) -> ValueTest { .regex(try compiledRegex(value)) }

    func compiledRegex(_ value: RawValue) throws(CommandError) -> Unmanaged<CompiledRegex> {
        guard let regex = value.regex else { throw CommandError(.badValue, "$regex has to be a string") }
        return arena.keep(try CompiledRegex(pattern: regex.pattern, options: regex.options, source: value))
    }

    /// `{$regex: …, $options: …}`, in either order.
    func regex(_ operators: RawDocument) throws(CommandError) -> ValueTest {
        let options = try regexOptions(operators)
        guard let value = operators["$regex"] else { throw CommandError(.badValue, "$options needs a $regex") }
        if let literal = value.regex {
            guard let options else { return try regexLiteral(value) }
            guard literal.options.isEmpty else { throw optionsTwice(operators) }
            return try regex(pattern: literal.pattern, options: options)
        }
        guard value.type == .string, let pattern = value.stringBytes else {
            throw CommandError(.badValue, "$regex has to be a string")
        }
        guard !pattern.contains(0) else {
            throw CommandError(.badValue, "Regular expression cannot contain an embedded null byte")
        }
        return try regex(pattern: pattern, options: options ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    private func regexOptions(_ operators: RawDocument) throws(CommandError) -> UnsafeRawBufferPointer? {
        guard let value = operators["$options"] else { return nil }
        guard value.type == .string, let options = value.stringBytes else {
            throw CommandError(.badValue, "$options has to be a string")
        }
        return options
    }

    private func optionsTwice(_ operators: RawDocument) -> CommandError {
        let isFirst = operators.firstKey.map { $0 == "$options" } ?? false
        return CommandError(ErrorCode(isFirst ? 51074 : 51075), "options set in both $regex and $options")
    }

    private func regex(
        pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer
    ) throws(CommandError) -> ValueTest {
        let source = regexValue(pattern, options)
        return .regex(arena.keep(try CompiledRegex(pattern: pattern, options: options, source: source)))
    }

    /// The BSON value with this pattern and these options, which a stored expression may equal.
    private func regexValue(_ pattern: UnsafeRawBufferPointer, _ options: UnsafeRawBufferPointer) -> RawValue {
        let bytes = arena.list(Array(pattern) + [0] + options.sorted() + [0])
        return RawValue(type: .regex, bytes: UnsafeRawBufferPointer(bytes.nodes))
    }
}
