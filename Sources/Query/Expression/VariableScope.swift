internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The variables that an expression being compiled may name, and where their values are at run time.
struct VariableScope {
    enum Binding {
        case slot(Int)
        case constant(RawValue)
        /// `$$REMOVE`.
        case nothing
        /// What there is not, or not yet when a command's variables are defined.
        case refused(CommandError)
    }

    private var bindings: [(name: String, binding: Binding)]
    private(set) var slotCount = 1

    init(arena: ProgramArena, environment: ExpressionEnvironment) {
        func constant(_ value: Value) -> Binding { value.withRaw { .constant(arena.copy($0)) } }
        bindings = [
            ("ROOT", .slot(Evaluator.rootSlot)), ("CURRENT", .slot(Evaluator.rootSlot)), ("REMOVE", .nothing),
            ("USER_ROLES", constant(.array(.empty))),
        ]
        let now = environment.now.map { constant(.date($0)) }
        let noTime = ErrorCode(now == nil ? 51144 : 10_071_200)
        let clusterTime = environment.clusterTime.map { constant(.timestamp($0)) }
        bindings.append(("NOW", now ?? Self.unavailable("NOW", ErrorCode(51144))))
        bindings.append(("CLUSTER_TIME", clusterTime ?? Self.unavailable("CLUSTER_TIME", noTime)))
        for (name, value) in environment.variables { bindings.append((name, constant(value))) }
        for name in environment.absentVariables { bindings.append((name, .nothing)) }
        guard environment.definesVariables else { return }
        for name in ["ROOT", "CURRENT"] { bindings.append((name, .refused(Self.noDocument))) }
        for name in ["NOW", "CLUSTER_TIME", "USER_ROLES"] {
            bindings.append((name, Self.unavailable(name, ErrorCode(51144))))
        }
    }

    private static let noDocument = CommandError(
        ErrorCode(4_890_500), "Command let Expression tried to access a field, but there is no document yet")

    private static func unavailable(_ name: String, _ code: ErrorCode) -> Binding {
        .refused(CommandError(code, "Builtin variable '$$\(name)' is not available"))
    }

    subscript(name: String) -> Binding? {
        bindings.last { $0.name == name }?.binding
    }

    /// What `$redact` decides by.
    mutating func bindDecisions(in arena: ProgramArena) {
        for (name, text) in [("DESCEND", "descend"), ("PRUNE", "prune"), ("KEEP", "keep")] {
            bindings.append((name, Value.string(text).withRaw { .constant(arena.copy($0)) }))
        }
    }

    var mark: Int { bindings.count }

    /// Adds variables, each with a slot of its own. Slots are not used twice: a program has few.
    mutating func bind(_ names: [String]) -> Int {
        let first = slotCount
        for name in names {
            bindings.append((name, .slot(slotCount)))
            slotCount += 1
        }
        return first
    }

    mutating func unbind(to mark: Int) { bindings.removeSubrange(mark...) }

    /// The name of a variable that a user declares: it begins with a small letter, or with anything beyond ASCII.
    ///
    /// - Parameter mayBeCurrent: whether `CURRENT` may be bound anew.
    static func checkedName(_ key: RawKey, mayBeCurrent: Bool = false) throws(CommandError) -> String {
        let name = key.string
        if mayBeCurrent, name == "CURRENT" { return name }
        guard let first = key.bytes.first else {
            throw CommandError(.failedToParse, "empty variable names are not allowed")
        }
        guard (97...122).contains(first) || first >= 128 else {
            throw CommandError(
                .failedToParse, "'\(name)' starts with an invalid character for a user variable name")
        }
        try checkRest(key.bytes.dropFirst(), name)
        return name
    }

    private static func checkRest(_ bytes: some Sequence<UInt8>, _ name: String) throws(CommandError) {
        for byte in bytes {
            guard
                byte >= 128 || byte == 95 || (48...57).contains(byte) || (65...90).contains(byte)
                    || (97...122).contains(byte)
            else {
                throw CommandError(
                    .failedToParse, "'\(name)' contains an invalid character for a variable name")
            }
        }
    }

    /// The name in a `$$name`, which may be one of the system's.
    static func checkUse(_ name: RawKey) throws(CommandError) {
        guard let first = name.bytes.first else {
            throw CommandError(.failedToParse, "empty variable names are not allowed")
        }
        guard (97...122).contains(first) || (65...90).contains(first) || first >= 128 else {
            throw CommandError(
                .failedToParse, "'\(name.string)' starts with an invalid character for a variable name")
        }
        do throws(CommandError) { try checkRest(name.bytes.dropFirst(), name.string) } catch {
            throw CommandError(.failedToParse, error.message)
        }
    }
}

// Paths and variables in strings.
extension ExpressionCompiler {
    func compileString(_ value: RawValue) throws(CommandError) -> Expression {
        guard let bytes = value.stringBytes, bytes.first == UInt8(ascii: "$") else {
            try StringOperator.check(value.count - 5)
            return .constant(value)
        }
        // An empty rest has an address too: that of the closing NUL.
        let start = UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped)
        if bytes.count > 1, bytes[1] == UInt8(ascii: "$") {
            return try compileVariable(RawKey(start: start + 2, count: bytes.count - 2))
        }
        guard bytes.count > 1 else {
            throw CommandError(ErrorCode(16872), "'$' by itself is not a valid FieldPath")
        }
        let path = RawKey(start: start + 1, count: bytes.count - 1)
        try checkFieldPath(path)
        return try self.path("CURRENT", path.components)
    }

    private func compileVariable(_ text: RawKey) throws(CommandError) -> Expression {
        let components = text.components
        guard text.count > 0, let name = components.first else {
            throw CommandError(.failedToParse, "empty variable names are not allowed")
        }
        try VariableScope.checkUse(name)
        if components.count > 1 {
            try checkFieldPath(text)
        }
        return try path(name.string, Array(components.dropFirst()))
    }

    private func path(_ variable: String, _ steps: [RawKey]) throws(CommandError) -> Expression {
        guard steps.allSatisfy({ memchr($0.start, 0, $0.count) == nil }) else {
            throw CommandError(ErrorCode(16411), "FieldPath field names may not contain '\\0'.")
        }
        switch scope[variable] {
        case .slot(let slot):
            let path = Expression.path(ValuePath(slot: slot, steps: arena.list(steps)))
            let isRoot = slot == Evaluator.rootSlot && steps.isEmpty
            return isRoot && textScore != .none ? withoutTextScore(path) : path
        case .constant(let value):
            let steps = arena.list(steps)
            return folded { run throws(CommandError) in try ValuePath.walk(value, steps, 0, run) } ?? .missing
        case .nothing: return .missing
        case .refused(let error): throw error
        case nil: throw CommandError(ErrorCode(17276), "Use of undefined variable: \(variable)")
        }
    }
}
