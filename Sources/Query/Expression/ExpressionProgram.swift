package import BSON
package import CommandModel
internal import Synchronization

/// What a command gives to all of its expressions.
package struct ExpressionEnvironment: Sendable {
    /// `$$NOW`: milliseconds since 1970 UTC; nil where neither time may be named.
    package var now: Int64?
    /// `$$CLUSTER_TIME`: seconds in the high, increment in the low 32 bits.
    package var clusterTime: UInt64?
    /// How strings compare; nil for bytewise.
    package var collator: Collator?
    /// When the expressions must give up; nil for never.
    package var patience: Patience?
    /// After how many turns of its loops over one document an expression is given up that has no ``patience``: it is
    /// computed while a command is read, by a thread that serves other connections, too, or in a validator, which is
    /// compiled for all commands and asked while others wait for the same lane.
    var turnsMax: UInt?
    static let turnsMaxUnwatched: UInt = 1 << 20
    /// What becomes of the text score that documents may have with them.
    package var textScore = TextScore.Use.none
    /// Whether the expression is the value of a command's variable, which depends on no document.
    fileprivate(set) var definesVariables = false
    /// The values of the command's `let`, by name.
    package var variables: [(name: String, value: Value)]

    /// Variables that may be named and have no value.
    private(set) var absentVariables: [String] = []

    package init(now: Int64?, clusterTime: UInt64? = nil, variables: [(name: String, value: Value)] = []) {
        self.now = now
        self.clusterTime = clusterTime
        self.variables = variables
    }

    /// Gives a variable a value, in the place of the one that it had.
    ///
    /// - Parameter value: nil for none, which is not null.
    mutating func bind(_ name: String, _ value: Value?) {
        variables.removeAll { $0.name == name }
        absentVariables.removeAll { $0 == name }
        if let value { variables.append((name, value)) } else { absentVariables.append(name) }
    }

    mutating func removeVariables() { (variables, absentVariables) = ([], []) }

    /// For what cannot hold expressions, or only in places where time and variables are refused.
    package static let none = ExpressionEnvironment(now: nil)

    /// For what is only checked now, and computed at another time.
    package static let anyTime = ExpressionEnvironment(now: 0, clusterTime: 0)

    /// The same where strings compare by `collator`; nil for bytewise.
    package func collated(by collator: Collator?) -> ExpressionEnvironment {
        var environment = self
        environment.collator = collator
        return environment
    }
}

/// A compiled expression that stands alone, as `$expr` has it.
package struct CompiledExpression: Sendable {
    let program: ExpressionProgram

    package init(
        compiling value: RawValue, in environment: ExpressionEnvironment
    ) throws(CommandError) {
        program = try ExpressionProgram(value, environment)
    }

    /// A document made of another, whose text score goes along with it where scores do.
    init(compilingRoot value: RawValue, in environment: ExpressionEnvironment) throws(CommandError) {
        program = try ExpressionProgram(value, environment, keepsTextScore: environment.textScore == .carried)
    }

    /// Calls `body` with the expression's value for a document, nil where there is none.
    package func withValue<R>(
        of document: RawDocument, _ body: (RawValue?) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        try program.evaluators.with { run throws(CommandError) in
            run.begin(document)
            return try body(try program.root.evaluate(run))
        }
    }
}

/// The memory and the root of a compiled expression.
///
// Safety: immutable after init; the pointers in it point into the arena it owns.
final class ExpressionProgram: @unchecked Sendable {
    private let arena: ProgramArena
    let root: Expression
    let evaluators: EvaluatorPool

    init(
        _ value: RawValue, _ environment: ExpressionEnvironment, keepsTextScore: Bool = false
    ) throws(CommandError) {
        let arena = ProgramArena()
        var compiler = ExpressionCompiler(arena: arena, environment: environment)
        let value = try compiler.compile(arena.copy(value))
        root = keepsTextScore ? compiler.keepingTextScore(value) : value
        evaluators = EvaluatorPool(compiler.settings)
        self.arena = arena
    }
}

/// Evaluators of one program for whoever needs one: usually one and the same, by one thread.
//
// Safety: an evaluator leaves the pool while it is used, so that one thread has it at a time.
final class EvaluatorPool: @unchecked Sendable {
    private let settings: EvaluatorSettings
    private let spare = Mutex<UInt>(0)

    init(_ settings: EvaluatorSettings) {
        self.settings = settings
    }

    deinit { give(back: 0) }

    func with<R>(_ body: (Evaluator) throws(CommandError) -> R) throws(CommandError) -> R {
        let run = take()
        defer { give(back: UInt(bitPattern: run.toOpaque())) }
        return try body(run.takeUnretainedValue())
    }

    private func take() -> Unmanaged<Evaluator> {
        let bits = spare.withLock { spare in
            let taken = spare
            spare = 0
            return taken
        }
        guard let pointer = UnsafeRawPointer(bitPattern: bits) else {
            return .passRetained(Evaluator(settings))
        }
        return .fromOpaque(pointer)
    }

    private func give(back bits: UInt) {
        let surplus = spare.withLock { spare in
            let old = spare
            spare = bits
            return old
        }
        guard let pointer = UnsafeRawPointer(bitPattern: surplus) else { return }
        Unmanaged<Evaluator>.fromOpaque(pointer).release()
    }
}

extension ExpressionEnvironment {
    /// Adds a command's `let`: each value may be an expression, of constants and of the variables before it.
    package mutating func define(_ variables: Document) throws(CommandError) {
        (definesVariables, turnsMax) = (true, Self.turnsMaxUnwatched)
        defer { (definesVariables, turnsMax) = (false, nil) }
        try variables.withRaw { raw throws(CommandError) in
            for variable in raw {
                guard !(variable.key == "NOW" || variable.key == "CLUSTER_TIME") else {
                    throw CommandError(
                        ErrorCode(4_738_901), "the system variable \(variable.key.string) cannot be set")
                }
                let name = try VariableScope.checkedName(variable.key)
                let expression = try CompiledExpression(compiling: variable.value, in: self)
                let value = try expression.withValue(of: .none) { $0.map(Value.init(copying:)) }
                bind(name, value)
            }
        }
    }
}
