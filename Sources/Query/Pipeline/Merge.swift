package import BSON
package import CommandModel

/// `$merge`: each document that comes changes, or becomes, a document of a collection.
package struct Merge: Sendable {
    /// What becomes of a document that is there already.
    package enum WhenMatched: Sendable {
        case replace, keepExisting, merge, fail
        case pipeline(MergePipeline)
    }

    /// What becomes of a document that nothing is there for.
    package enum WhenNotMatched: String, Sendable {
        case insert, discard, fail
    }

    package let target: Namespace
    /// The fields by whose values a document finds the one that is there; nil when they were not named: `_id`.
    package let on: [String]?
    package let whenMatched: WhenMatched
    package let whenNotMatched: WhenNotMatched
    /// Where the values of the fields are compared.
    package let collator: Collator?
    private let environment: ExpressionEnvironment

    /// - Parameter database: of the command.
    init(
        compiling value: RawValue, in database: String, _ environment: ExpressionEnvironment
    ) throws(CommandError) {
        let syntax = try MergeSyntax(value, database)
        target = syntax.target
        on = syntax.on
        whenNotMatched = syntax.whenNotMatched
        whenMatched = try syntax.matched(environment)
        collator = environment.collator
        self.environment = environment
        try checkModes()
    }

    private func checkModes() throws(CommandError) {
        let isKnown =
            switch whenMatched {
            case .keepExisting, .fail: whenNotMatched == .insert
            case .replace, .merge, .pipeline: true
            }
        guard isKnown else {
            throw CommandError(
                ErrorCode(51181),
                "Combination of {whenMatched: \(whenMatched), whenNotMatched: \(whenNotMatched)} "
                    + "is not supported")
        }
    }

    /// What a document does to the one that it finds; nil when it may find none.
    ///
    /// - Parameter new: with its `_id`.
    package func update(by new: Document) throws(CommandError) -> UpdateProgram? {
        switch whenMatched {
        case .replace: try UpdateProgram(compiling: .document(new), environment: environment)
        case .merge: try modifiers("$set", new)
        case .keepExisting: try modifiers("$setOnInsert", new)
        case .pipeline(let pipeline):
            try new.withRaw { raw throws(CommandError) in try pipeline.update(by: raw, environment) }
        case .fail: nil
        }
    }

    private func modifiers(_ name: StaticString, _ new: Document) throws(CommandError) -> UpdateProgram {
        try UpdateProgram(
            compiling: .document(Document { $0.append(name, document: new) }), environment: environment)
    }

    /// Whether a document that nothing is there for is inserted as it is, and not as modifiers would build it.
    package var insertsAsGiven: Bool {
        switch whenMatched {
        case .merge, .keepExisting: false
        case .replace, .fail, .pipeline: true
        }
    }

    /// Whether documents are found by their `_id`, and by nothing else.
    package var isByID: Bool { on == nil || on == ["_id"] }

    /// Whether a document must have its `_id` before it is known which one it finds.
    package var needsID: Bool { on?.contains("_id") ?? true }

    /// - Parameter isSparse: of the index by which documents are found.
    /// - Throws: Location51185, Location51132 for a value by which no document can be found.
    package func check(_ new: RawDocument, isSparse: Bool) throws(CommandError) {
        for path in on ?? ["_id"] {
            let value = new.value(at: path)
            guard value?.type != .array else {
                throw CommandError(
                    ErrorCode(51185), "$merge write error: 'on' field '\(path)' cannot be an array")
            }
            guard !isSparse || value.isAny else {
                throw CommandError(
                    ErrorCode(51132),
                    "$merge write error: 'on' field '\(path)' cannot be missing, null or undefined, for the index on "
                        + "it is sparse")
            }
        }
    }

    /// What the document that `new` finds matches. A field that is missing is null.
    package func filter(finding new: RawDocument) throws(CommandError) -> Filter {
        guard let on, !isByID else { return .everything }
        let wanted = Document { builder in
            for path in on {
                let value = new.value(at: path)
                let test = Document { $0.append("$eq", value.isAny ? value.map(Value.init(copying:)) ?? .null : .null) }
                builder.append(name: path, .document(test))
            }
        }
        return try Filter(compiling: wanted, collator: collator)
    }
}

extension RawValue? {
    fileprivate var isAny: Bool {
        switch self?.type {
        case nil, .null, .undefined: false
        default: true
        }
    }
}

extension RawDocument {
    /// What stands at a dotted path, or the array at which the path ends early.
    fileprivate func value(at path: String) -> RawValue? {
        var found: RawValue?
        var inner: RawDocument? = self
        for name in path.utf8.split(separator: UInt8(ascii: ".")) {
            guard let document = inner else { return nil }
            found = document.first { $0.key.bytes.elementsEqual(name) }?.value
            guard let value = found else { return nil }
            if value.type == .array { return value }
            inner = value.document
        }
        return found
    }
}

/// `whenMatched` as a pipeline, which changes the document that is there, with the one that comes as `$$new`.
package struct MergePipeline: Sendable {
    fileprivate let stages: Value
    /// Computed of the document that comes.
    fileprivate let variables: [(name: String, value: CompiledExpression)]

    /// Variables become constants: the pipeline is compiled for each document, as that of an update with `c` is.
    fileprivate func update(
        by new: RawDocument, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> UpdateProgram {
        var builder = DocumentBuilder()
        builder.append(RawKey("new"), document: new)
        for (name, expression) in variables {
            try expression.withValue(of: new) { value throws(CommandError) in
                guard let value else { return }
                var name = name
                name.withUTF8 { bytes in
                    guard let start = bytes.baseAddress else { return }
                    builder.append(RawKey(start: start, count: bytes.count), value)
                }
            }
        }
        return try UpdateProgram(compiling: stages, constants: builder.finish(), environment: environment)
    }
}

extension MergeSyntax {
    /// - Throws: Location51199 for `let` beside another mode than a pipeline.
    fileprivate func matched(
        _ environment: ExpressionEnvironment
    ) throws(CommandError) -> Merge.WhenMatched {
        guard let stages else {
            guard variables == nil else {
                throw CommandError(ErrorCode(51199), "Cannot use 'let' variables with 'whenMatched: \(mode)' mode")
            }
            switch mode {
            case "replace": return .replace
            case "keepExisting": return .keepExisting
            case "fail": return .fail
            default: return .merge
            }
        }
        var compiled: [(name: String, value: CompiledExpression)] = []
        try variables?.withRaw { raw throws(CommandError) in
            for variable in raw {
                let name = try VariableScope.checkedName(variable.key)
                guard name != "new" else {
                    try Self.checkNew(variable.value)
                    continue
                }
                compiled.append((name, try CompiledExpression(compiling: variable.value, in: environment)))
            }
        }
        return .pipeline(MergePipeline(stages: stages, variables: compiled))
    }

    private static func checkNew(_ value: RawValue) throws(CommandError) {
        guard value.string == "$$ROOT" else {
            throw CommandError(ErrorCode(51273), "'let' may not define a value for the reserved 'new' variable")
        }
    }
}
