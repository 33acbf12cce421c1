internal import BSON
internal import CommandModel

// `$map $filter $reduce`: what they bind, and under which names.
extension ExpressionCompiler {
    /// `$map: {input:, as:, arrayIndexAs:, in:}`.
    mutating func map(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let parts = try loopParts(element, LoopSyntax.map)
        guard let input = parts["input"] else { throw LoopSyntax.map.absent("input", 16880) }
        guard let body = parts["in"] else { throw LoopSyntax.map.absent("in", 16882) }
        let array = try compile(input, depth: depth + 1)
        let names = try [loopName(parts, "as", "this"), loopName(parts, "arrayIndexAs", "IDX")]
        let (slot, inner) = try binding(names) { compiler throws(CommandError) in
            try compiler.compile(body, depth: depth + 1)
        }
        return .call(.loop(.map(element: slot, index: slot + 1)), arena.list([array, inner]))
    }

    /// `$filter: {input:, as:, arrayIndexAs:, cond:, limit:}`.
    mutating func filter(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let parts = try loopParts(element, LoopSyntax.filter)
        guard let input = parts["input"] else { throw LoopSyntax.filter.absent("input", 28648) }
        guard let condition = parts["cond"] else { throw LoopSyntax.filter.absent("cond", 28650) }
        let array = try compile(input, depth: depth + 1)
        let limit = try parts["limit"].map { value throws(CommandError) in try compile(value, depth: depth + 1) }
        let names = try [loopName(parts, "as", "this"), loopName(parts, "arrayIndexAs", "IDX")]
        let (slot, inner) = try binding(names) { compiler throws(CommandError) in
            try compiler.compile(condition, depth: depth + 1)
        }
        return .call(
            .loop(.filter(element: slot, index: slot + 1)), arena.list([array, inner, limit ?? .notGiven]))
    }

    /// `$reduce: {input:, initialValue:, as:, valueAs:, arrayIndexAs:, in:}`.
    mutating func reduce(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let parts = try loopParts(element, LoopSyntax.reduce)
        guard let input = parts["input"] else { throw LoopSyntax.reduce.absent("input", 40077) }
        guard let initial = parts["initialValue"] else { throw LoopSyntax.reduce.absent("initialValue", 40078) }
        guard let body = parts["in"] else { throw LoopSyntax.reduce.absent("in", 40079) }
        let outer = [try compile(input, depth: depth + 1), try compile(initial, depth: depth + 1)]
        let names = try [
            loopName(parts, "as", "this"), loopName(parts, "valueAs", "value"),
            loopName(parts, "arrayIndexAs", "IDX"),
        ]
        let (slot, inner) = try binding(names) { compiler throws(CommandError) in
            try compiler.compile(body, depth: depth + 1)
        }
        return .call(
            .loop(.reduce(element: slot, value: slot + 1, index: slot + 2)), arena.list(outer + [inner]))
    }

    private func loopParts(
        _ element: RawElement, _ syntax: LoopSyntax
    ) throws(CommandError) -> [String: RawValue] {
        guard let document = element.value.document else {
            throw CommandError(
                ErrorCode(syntax.notDocument), "\(syntax.name) only supports an object as its argument")
        }
        var parts: [String: RawValue] = [:]
        for part in document {
            guard syntax.parts.contains(where: { part.key == $0 }) else {
                throw CommandError(
                    ErrorCode(syntax.unknown), "Unrecognized parameter to \(syntax.name): \(part.key.string)")
            }
            parts[part.key.string] = part.value
        }
        return parts
    }

    private func loopName(
        _ parts: [String: RawValue], _ part: String, _ otherwise: String
    ) throws(CommandError) -> String {
        guard let value = parts[part] else { return otherwise }
        guard value.type == .string, let bytes = value.stringBytes, let start = bytes.baseAddress else {
            throw CommandError(.failedToParse, "'\(part)' must be a string, found \(value.type.alias)")
        }
        return try VariableScope.checkedName(RawKey(start: start, count: bytes.count), mayBeCurrent: true)
    }
}

/// The arguments of a loop, and the codes by which a wrong use is refused.
private struct LoopSyntax {
    let name: StaticString
    let parts: [StaticString]
    let notDocument: Int32
    let unknown: Int32

    static let map = LoopSyntax(
        name: "$map", parts: ["input", "as", "arrayIndexAs", "in"], notDocument: 16878, unknown: 16879)
    static let filter = LoopSyntax(
        name: "$filter", parts: ["input", "as", "arrayIndexAs", "cond", "limit"], notDocument: 28646, unknown: 28647)
    static let reduce = LoopSyntax(
        name: "$reduce", parts: ["input", "initialValue", "as", "valueAs", "arrayIndexAs", "in"], notDocument: 40075,
        unknown: 40076)

    func absent(_ part: StaticString, _ code: Int32) -> CommandError {
        CommandError(ErrorCode(code), "Missing '\(part)' parameter to \(name)")
    }
}
