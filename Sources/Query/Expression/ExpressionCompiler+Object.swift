internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// `$getField $setField $unsetField`, and `$meta`.
extension ExpressionCompiler {
    /// `$getField: {field:, input:}`, or the name alone, of the current document.
    mutating func getField(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        guard let document = element.value.document, document.firstElement?.key.startsWithDollar != true else {
            let name = try compile(element.value, depth: depth + 1)
            return .call(.object(.getField), arena.list([name, current]))
        }
        var (field, input): (Expression?, Expression?) = (nil, nil)
        for part in document {
            switch part.key {
            case "field": field = try compile(part.value, depth: depth + 1)
            case "input": input = try compile(part.value, depth: depth + 1)
            default:
                throw CommandError(
                    ErrorCode(3_041_701), "$getField found an unknown argument: \(part.key.string)")
            }
        }
        guard let field else {
            throw CommandError(ErrorCode(3_041_702), "$getField requires 'field' to be specified")
        }
        guard let input else {
            throw CommandError(ErrorCode(3_041_703), "$getField requires 'input' to be specified")
        }
        return .call(.object(.getField), arena.list([field, input]))
    }

    /// `$$CURRENT`.
    private var current: Expression {
        guard case .slot(let slot) = scope["CURRENT"] else { return .missing }
        return .path(ValuePath(slot: slot, steps: arena.list([])))
    }

    /// `$setField: {field:, input:, value:}`, `$unsetField: {field:, input:}`. The name is a constant.
    mutating func setField(_ element: RawElement, _ depth: Int, isUnset: Bool) throws(CommandError) -> Expression {
        let name = element.key.string
        guard let document = element.value.document else {
            throw CommandError(ErrorCode(4_161_100), "\(name) only supports an object as its argument")
        }
        var field: RawValue?
        var (input, value): (Expression?, Expression?) = (nil, isUnset ? .missing : nil)
        for part in document {
            switch part.key {
            case "field":
                _ = try compile(part.value, depth: depth + 1)
                field = part.value
            case "input": input = try compile(part.value, depth: depth + 1)
            case "value" where !isUnset: value = try compile(part.value, depth: depth + 1)
            default:
                throw CommandError(ErrorCode(4_161_101), "\(name) found an unknown argument: \(part.key.string)")
            }
        }
        guard let field else { throw CommandError(ErrorCode(4_161_102), "\(name) requires 'field' to be specified") }
        guard let value else { throw CommandError(ErrorCode(4_161_103), "\(name) requires 'value' to be specified") }
        guard let input else { throw CommandError(ErrorCode(4_161_109), "\(name) requires 'input' to be specified") }
        return .call(.object(.setField(try constantName(field, name))), arena.list([input, value]))
    }

    /// A name that is written out, or in `$literal`; other operators of constants are no constant here.
    private func constantName(_ field: RawValue, _ name: String) throws(CommandError) -> RawKey {
        var constant = field
        switch field.type {
        case .string where field.stringBytes?.first == UInt8(ascii: "$"):
            throw CommandError(
                ErrorCode(4_161_108),
                "A field path reference is not allowed in this context. Did you mean to use $literal?"
            )
        case .document:
            guard let first = field.document?.firstElement else { break }
            guard first.key == "$literal" || first.key == "$const" else { throw Self.notConstant(name) }
            constant = first.value
        case .array: throw Self.notConstant(name)
        default: break
        }
        guard constant.type == .string, let bytes = constant.stringBytes, let start = bytes.baseAddress else {
            throw CommandError(
                ErrorCode(4_161_107),
                "\(name) requires 'field' to evaluate to type String, but got \(constant.type.alias)")
        }
        guard memchr(start, 0, bytes.count) == nil else {
            throw CommandError(ErrorCode(9_534_700), "\(name) requires a field name without an embedded null byte")
        }
        return RawKey(start: start, count: bytes.count)
    }

    private static func notConstant(_ name: String) -> CommandError {
        CommandError(ErrorCode(4_161_106), "\(name) requires 'field' to evaluate to a constant")
    }

    private static let metadataNames: Set<String> = [
        "geoNearDistance", "geoNearPoint", "indexKey", "randVal", "recordId", "score", "scoreDetails",
        "searchHighlights",
        "searchScore", "searchScoreDetails", "searchSequenceToken", "sortKey", "stream", "textScore",
        "timeseriesBucketMaxTime", "timeseriesBucketMinTime", "vectorSearchScore",
    ]

    /// What `$text` has found out about the document.
    var textScoreOfDocument: Expression {
        .path(ValuePath(slot: Evaluator.rootSlot, steps: arena.list([arena.copy(name: TextScore.fieldName)])))
    }

    /// A document that the client gets to see.
    func withoutTextScore(_ document: Expression) -> Expression {
        .call(.object(.setField(arena.copy(name: TextScore.fieldName))), arena.list([document, .missing]))
    }

    /// Another document that takes the place of one with a score.
    func keepingTextScore(_ document: Expression) -> Expression {
        let name = arena.copy(name: TextScore.fieldName)
        return .call(.object(.setField(name)), arena.list([document, textScoreOfDocument]))
    }

    /// `$meta`. Beside the text score no stage leaves any, and a document that was not read by an index has no index
    /// key.
    func metadata(_ element: RawElement) throws(CommandError) -> Expression {
        guard let name = element.value.string else {
            throw CommandError(ErrorCode(17307), "$meta only supports string arguments")
        }
        guard Self.metadataNames.contains(name) else {
            throw CommandError(ErrorCode(17308), "Unsupported argument to $meta: \(name)")
        }
        if name == "textScore", textScore != .none { return textScoreOfDocument }
        guard ["indexKey", "randVal", "searchScore", "searchHighlights"].contains(name) else {
            throw CommandError(ErrorCode(40218), "query requires \(name) metadata, but it is not available")
        }
        return .missing
    }
}

extension OperatorRule {
    /// Operators that MongoDB has and we do not.
    static let refused: [OperatorRule] = [
        .special("$meta", .metadata),
        .special("$function", .refused("server-side JavaScript is not supported")),
        .special("$accumulator", .refused("server-side JavaScript is not supported")),
    ]
}
