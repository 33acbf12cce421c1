internal import BSON
internal import CommandModel

extension FilterCompiler {
    /// `$and` adds its branches to the conjunction it stands in.
    mutating func compileAnd(
        _ value: RawValue, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        for branch in try branchDocuments("$and", value) {
            try compile(branch, into: &conjunction, depth: depth + 1)
        }
    }

    mutating func compileOr(_ value: RawValue, depth: Int) throws(CommandError) -> DocumentTest {
        let documents = try branchDocuments("$or", value)
        // One branch is the same as the branch itself, and an upsert takes its equalities.
        if documents.count == 1 { return try compile(documents[0], depth: depth + 1) }
        return .any(try branches("$or", value, depth: depth))
    }

    mutating func compileNor(_ value: RawValue, depth: Int) throws(CommandError) -> ArenaList<DocumentTest> {
        let outer = isInNor
        isInNor = true
        defer { isInNor = outer }
        return try branches("$nor", value, depth: depth)
    }

    mutating func branches(
        _ name: StaticString, _ value: RawValue, depth: Int
    ) throws(CommandError) -> ArenaList<DocumentTest> {
        var tests: [DocumentTest] = []
        for branch in try branchDocuments(name, value) {
            tests.append(try nested { compiler throws(CommandError) in try compiler.compile(branch, depth: depth + 1) })
        }
        return arena.list(tests)
    }

    private func branchDocuments(_ name: StaticString, _ value: RawValue) throws(CommandError) -> [RawDocument] {
        guard let array = value.array else {
            throw CommandError(.badValue, "\(name) must be an array")
        }
        var documents: [RawDocument] = []
        for element in array {
            guard let document = element.value.document else {
                throw CommandError(.badValue, "$or/$and/$nor entries need to be full objects")
            }
            documents.append(document)
        }
        guard !documents.isEmpty else {
            throw CommandError(.badValue, "$and/$or/$nor must be a nonempty array")
        }
        return documents
    }

    /// `{path: {$not: …}}`: what stands inside is a conjunction of its own, negated as a whole.
    mutating func compileNot(
        _ path: FieldPath, _ value: RawValue, into conjunction: inout Conjunction, depth: Int
    ) throws(CommandError) {
        if value.type == .regex {
            conjunction.add(path.key, PathTest(steps: path.steps, isNegated: true, test: try regexLiteral(value)))
            return
        }
        guard let operators = value.document else {
            throw CommandError(.badValue, "$not needs a regex or a document")
        }
        guard !operators.isEmpty else {
            throw CommandError(.badValue, "$not argument must be a non-empty object")
        }
        let inner = try nested { compiler throws(CommandError) in
            var inner = Conjunction()
            try compiler.compileOperators(path, operators, into: &inner, depth: depth + 1)
            return inner.finish(compiler.arena)
        }
        conjunction.add(.none(arena.list([inner])))
    }
}
