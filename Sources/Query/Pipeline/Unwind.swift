internal import BSON
internal import CommandModel

/// A compiled `$unwind`: a document for each element of an array.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Unwind: @unchecked Sendable {
    private let arena: ProgramArena
    let path: ArenaList<RawKey>
    /// Where the element's index goes; empty when it is not wanted.
    let indexPath: ArenaList<RawKey>
    let preservesEmpty: Bool

    init(compiling value: RawValue) throws(CommandError) {
        let arena = ProgramArena()
        let options = try Options(arena.copy(value))
        path = arena.list(try Self.components(options.path))
        indexPath = arena.list(try options.index.map(Self.components) ?? [])
        preservesEmpty = options.preservesEmpty
        self.arena = arena
    }

    private struct Options {
        let path: RawKey
        var index: RawKey?
        var preservesEmpty = false

        init(_ value: RawValue) throws(CommandError) {
            guard let document = value.document else {
                guard value.type == .string else {
                    throw CommandError(
                        ErrorCode(15981),
                        "expected either a string or an object as specification for $unwind stage, got "
                            + "\(value.type.alias)")
                }
                path = try Self.fieldPath(value)
                return
            }
            guard let found = document["path"] else {
                throw CommandError(ErrorCode(28812), "no path specified to $unwind stage")
            }
            guard found.type == .string else {
                throw CommandError(
                    ErrorCode(28808), "expected a string as the path for $unwind stage, got \(found.type.alias)")
            }
            path = try Self.fieldPath(found)
            for field in document where !(field.key == "path") { try take(field) }
        }

        private static func fieldPath(_ value: RawValue) throws(CommandError) -> RawKey {
            guard value.stringBytes?.isEmpty == false else {
                throw CommandError(ErrorCode(28812), "no path specified to $unwind stage")
            }
            guard value.stringBytes?.contains(0) != true else {
                throw CommandError(ErrorCode(16419), "field path must not contain null bytes")
            }
            guard let bytes = value.stringBytes, let start = bytes.baseAddress, bytes.first == UInt8(ascii: "$") else {
                throw CommandError(
                    ErrorCode(28818), "path option to $unwind stage should be prefixed with a '$': \(value.errorText)")
            }
            return RawKey(start: start + 1, count: bytes.count - 1)
        }

        private mutating func take(_ field: RawElement) throws(CommandError) {
            switch field.key {
            case "preserveNullAndEmptyArrays":
                guard let flag = field.value.bool else {
                    throw CommandError(
                        ErrorCode(28809), "expected a boolean for the preserveNullAndEmptyArrays option to $unwind")
                }
                preservesEmpty = flag
            case "includeArrayIndex":
                guard field.value.type == .string, let bytes = field.value.stringBytes, let start = bytes.baseAddress,
                    !bytes.isEmpty
                else {
                    throw CommandError(
                        ErrorCode(28810), "expected a non-empty string for the includeArrayIndex option to $unwind")
                }
                guard bytes.first != UInt8(ascii: "$") else {
                    throw CommandError(
                        ErrorCode(28822), "includeArrayIndex option to $unwind stage should not be prefixed with a '$'")
                }
                guard !bytes.contains(0) else {
                    throw CommandError(ErrorCode(16411), "FieldPath field names may not contain null bytes")
                }
                index = RawKey(start: start, count: bytes.count)
            default:
                throw CommandError(ErrorCode(28811), "unrecognized option to $unwind stage: \(field.key.string)")
            }
        }
    }

    private static func components(_ path: RawKey) throws(CommandError) -> [RawKey] {
        try checkFieldPath(path)
        return path.components
    }
}

final class UnwindRun: StageRun {
    private let unwind: Unwind
    /// How many elements of the current document's array were given, and where the next one begins in the array.
    private var given = 0
    private var offset = 0

    init(_ unwind: Unwind) {
        self.unwind = unwind
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        input.forEach(from: &position) { document in
            guard !output.isFull else { return false }
            guard expand(document, into: &output) else { return false }
            (given, offset) = (0, 0)
            return true
        }
    }

    /// - Returns: whether all documents of this one were given.
    private func expand(_ document: RawDocument, into output: inout Batch) -> Bool {
        let value = document.value(at: unwind.path)
        guard let array = value?.array else {
            let isNothing = value.isNullish
            if !isNothing || unwind.preservesEmpty {
                unwind.append(document, replacing: nil, index: nil, into: &output)
            }
            return true
        }
        if array.isEmpty, unwind.preservesEmpty {
            unwind.append(document, replacing: .some(nil), index: nil, into: &output)
        }
        for element in array.rest(from: offset) {
            guard !output.isFull else { return false }
            unwind.append(document, replacing: element.value, index: given, into: &output)
            given += 1
            offset = array.offset(behind: element)
        }
        return true
    }
}

extension RawDocument {
    /// Where the element after this one begins, to be given to ``rest(from:)``.
    fileprivate func offset(behind element: RawElement) -> Int {
        bytes.baseAddress.map { element.value.start + element.value.count - $0 } ?? 0
    }

    /// The elements from an offset on; all of them for 0.
    fileprivate func rest(from offset: Int) -> RawDocument {
        // What is before them takes the place of the length, which is known.
        offset < 5 ? self : RawDocument(unchecked: UnsafeRawBufferPointer(rebasing: bytes[(offset - 4)...]))
    }
}

extension Unwind {
    /// - Parameter replacement: nil to leave the value, nil within to take it out.
    func append(
        _ document: RawDocument, replacing replacement: RawValue??, index: Int?, into output: inout Batch
    ) {
        guard indexPath.isEmpty else {
            let unwound = Document { builder in
                builder.append(document, setting: path, to: replacement)
            }
            let value = index.map { Value.int64(Int64($0)) } ?? .null
            unwound.withRaw { unwound in
                value.withRaw { value in
                    output.append { $0.append(unwound, setting: indexPath, to: .some(value)) }
                }
            }
            return
        }
        output.append { $0.append(document, setting: path, to: replacement) }
    }
}
