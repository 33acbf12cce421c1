internal import SQL

/// A statement that has a name on the server.
final class PreparedStatement {
    let name: String
    let text: String
    let types: [TypeOID]
    /// The sync group that carries the Parse.
    let group: UInt64
    /// The server has said yes to the Parse.
    var isConfirmed = false
    var lastUse: UInt64 = 0

    init(name: String, text: String, types: [TypeOID], group: UInt64) {
        self.name = name
        self.text = text
        self.types = types
        self.group = group
    }

    /// Whether values of these types may be bound to the types it was prepared with.
    func accepts(_ parameters: [Parameter]) -> Bool {
        guard parameters.count == types.count else { return false }
        for index in parameters.indices {
            let type = parameters[index].type
            if type != types[index] && type != .unspecified { return false }
        }
        return true
    }
}

/// The prepared statements of one connection, by text, least recently used out first.
///
/// A Parse is not transactional, but it can fail, or be skipped because its group had failed before; so a statement is
/// *unconfirmed* until its result was read. Within the group that carries the Parse the name may be used at once (if
/// the Parse does not happen, neither does what follows it); a later group must not rely on it and goes unnamed.
struct StatementCache {
    enum Lookup {
        case ready(PreparedStatement)
        /// Send a Parse for it first.
        case prepare(PreparedStatement)
        /// Use no name this time.
        case unnamed
    }

    let capacity: Int
    private var byText: [String: PreparedStatement] = [:]
    private var uses: UInt64 = 0
    private var namesMade: UInt64 = 0
    /// Names that the server still knows and that nothing will use again.
    private(set) var evictedNames: [String] = []

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { byText.count }

    mutating func lookUp(_ statement: Statement, group: UInt64) -> Lookup {
        guard statement.preparation == .cached else { return .unnamed }
        uses &+= 1
        guard let known = byText[statement.text] else { return .prepare(insert(statement, group: group)) }
        guard known.isConfirmed || known.group == group else { return .unnamed }
        guard known.accepts(statement.parameters) else {
            evict(known)
            return .prepare(insert(statement, group: group))
        }
        known.lastUse = uses
        return .ready(known)
    }

    /// The Parse failed or was skipped: the server does not know the name.
    mutating func forget(_ statement: PreparedStatement) {
        if byText[statement.text] === statement { byText[statement.text] = nil }
    }

    /// The plan is of no use any more, the server still holds it.
    mutating func evict(_ statement: PreparedStatement) {
        forget(statement)
        evictedNames.append(statement.name)
    }

    /// The server lost all names (`DISCARD ALL`, a pooler between us): nothing is left to deallocate.
    mutating func forgetAll() {
        byText.removeAll()
        evictedNames.removeAll()
    }

    mutating func takeEvictedNames() -> [String] {
        defer { evictedNames.removeAll(keepingCapacity: true) }
        return evictedNames
    }

    mutating func keepForLater(evictedName: String) {
        evictedNames.append(evictedName)
    }

    private mutating func insert(_ statement: Statement, group: UInt64) -> PreparedStatement {
        if byText.count >= capacity { evictOldest() }
        namesMade &+= 1
        let prepared = PreparedStatement(
            name: "m\(namesMade)", text: statement.text, types: statement.parameters.map(\.type), group: group)
        prepared.lastUse = uses
        byText[statement.text] = prepared
        return prepared
    }

    /// A walk over all entries: it costs less than the Parse that made it necessary, and each hit is spared the
    /// upkeep of a list.
    private mutating func evictOldest() {
        if let oldest = byText.values.min(by: { $0.lastUse < $1.lastUse }) { evict(oldest) }
    }
}
