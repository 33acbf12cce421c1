internal import BSON
internal import CommandModel

/// `$match`.
final class MatchRun: StageRun {
    private let filter: Filter

    init(_ filter: Filter) {
        self.filter = filter
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            guard !output.isFull else { return false }
            if try filter.matches(document) { output.append(document) }
            return true
        }
    }
}

/// `$limit`.
final class LimitRun: StageRun {
    private var remaining: Int64

    init(_ limit: Int64) {
        remaining = limit
    }

    var isSatisfied: Bool { remaining == 0 }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        input.forEach(from: &position) { document in
            guard remaining > 0, !output.isFull else { return false }
            remaining -= 1
            output.append(document)
            return true
        }
    }
}

/// `$skip`.
final class SkipRun: StageRun {
    private var remaining: Int64

    init(_ count: Int64) {
        remaining = count
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        input.forEach(from: &position) { document in
            guard !output.isFull else { return false }
            if remaining > 0 { remaining -= 1 } else { output.append(document) }
            return true
        }
    }
}

/// `$project`, `$addFields`, `$unset`.
final class ProjectionRun: StageRun {
    private let projection: Projection

    init(_ projection: Projection) {
        self.projection = projection
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            guard !output.isFull else { return false }
            try output.append { builder throws(CommandError) in try projection.write(document, into: &builder) }
            return true
        }
    }
}

/// `$replaceRoot`.
final class ReplaceRootRun: StageRun {
    private let root: CompiledExpression

    init(_ root: CompiledExpression) {
        self.root = root
    }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        try input.forEach(from: &position) { document throws(CommandError) in
            guard !output.isFull else { return false }
            try ReplaceRoot.withRoot(root, of: document) { output.append($0) }
            return true
        }
    }
}

enum ReplaceRoot {
    /// Calls `body` with the document that takes the place of `document`.
    static func withRoot(
        _ root: CompiledExpression, of document: RawDocument, _ body: (RawDocument) -> Void
    ) throws(CommandError) {
        try root.withValue(of: document) { value throws(CommandError) in
            guard let new = value?.document else {
                throw CommandError(
                    ErrorCode(40228),
                    "'newRoot' expression must evaluate to an object, but resulting value was of type "
                        + value.typeName)
            }
            try Batch.check(new.bytes.count)
            body(new)
        }
    }
}
