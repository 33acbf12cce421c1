package import Access
package import BSON
package import CommandModel
internal import NIOCore
internal import Postgres
internal import SQL

/// Users and roles within one transaction that changes some of them, while nobody else does.
///
/// Used on a database thread, within ``AccessStore/change(_:)``.
package struct AccessTransaction: ~Copyable {
    private let connection: Connection
    fileprivate(set) var hasChanged = false

    init(_ connection: Connection) { self.connection = connection }

    package func user(_ name: UserName) throws(StorageError) -> UserRecord? {
        try AccessSQL.users("WHERE database = $1 AND name = $2", AccessSQL.key(name), on: connection).first
    }

    package func roles() throws(StorageError) -> RoleGraph { try AccessSQL.roles(on: connection) }

    package func hasAnybody() throws(StorageError) -> Bool { try AccessSQL.hasAnybody(on: connection) }

    package mutating func put(_ user: UserRecord) throws(StorageError) {
        try execute(
            """
            INSERT INTO martlet.users (database, name, id, definition) VALUES ($1, $2, $3, $4) \
            ON CONFLICT ON CONSTRAINT users_name DO UPDATE SET definition = excluded.definition
            """, AccessSQL.key(user.name) + [.bytes(user.id), .bytea(user.document.buffer)])
    }

    package mutating func put(_ role: RoleRecord) throws(StorageError) {
        try execute(
            """
            INSERT INTO martlet.roles (database, name, definition) VALUES ($1, $2, $3) \
            ON CONFLICT ON CONSTRAINT roles_name DO UPDATE SET definition = excluded.definition
            """, AccessSQL.key(role.name) + [.bytea(role.document.buffer)])
    }

    /// - Returns: whether there was such a user.
    package mutating func dropUser(_ name: UserName) throws(StorageError) -> Bool {
        try execute("DELETE FROM martlet.users WHERE database = $1 AND name = $2", AccessSQL.key(name)) > 0
    }

    /// - Returns: how many there were.
    package mutating func dropUsers(of database: String) throws(StorageError) -> Int {
        try execute("DELETE FROM martlet.users WHERE database = $1", [.text(database)])
    }

    /// Drops roles, and takes them from all who had them.
    ///
    /// - Returns: how many there were.
    package mutating func dropRoles(_ names: Set<RoleName>) throws(StorageError) -> Int {
        var count = 0
        for name in names {
            count += try execute(
                "DELETE FROM martlet.roles WHERE database = $1 AND name = $2", AccessSQL.key(name))
        }
        for var role in try roles().all where role.roles.contains(where: names.contains) {
            role.roles.removeAll(where: names.contains)
            try put(role)
        }
        for var user in try AccessSQL.users("", [], on: connection) where user.roles.contains(where: names.contains) {
            user.roles.removeAll(where: names.contains)
            try put(user)
        }
        return count
    }

    @discardableResult
    private mutating func execute(_ text: String, _ parameters: [Parameter]) throws(StorageError) -> Int {
        hasChanged = true
        return try CatalogSQL.execute(text, parameters, on: connection).affectedRows
    }
}

/// The statements; the tables are described in `sql/migrations/0015_users.sql`.
enum AccessSQL {
    /// Of all databases together. What is more would not fit into a reply.
    static let usersMax = 100_000

    static func key(_ name: PrincipalName) -> [Parameter] { [.text(name.database), .text(name.name)] }

    static func users(
        _ condition: String, _ parameters: [Parameter], on connection: Connection
    ) throws(StorageError) -> [UserRecord] {
        let result = try CatalogSQL.execute(
            """
            SELECT database, name, id, definition FROM martlet.users \(condition) ORDER BY database, name \
            LIMIT \(usersMax)
            """, parameters, on: connection)
        var users: [UserRecord] = []
        for row in 0..<result.rowCount {
            guard let database = result.text(row: row, column: 0), let name = result.text(row: row, column: 1),
                let id = result.bytes(row: row, column: 2), let definition = result.document(row: row, column: 3)
            else { continue }
            users.append(
                try StorageError.ofRecord { () throws(CommandError) in
                    try UserRecord(name: UserName(name, in: database), id: Array(id), document: definition)
                })
        }
        return users
    }

    static func roles(on connection: Connection) throws(StorageError) -> RoleGraph {
        let result = try CatalogSQL.execute("SELECT database, name, definition FROM martlet.roles", [], on: connection)
        var roles: [RoleRecord] = []
        for row in 0..<result.rowCount {
            guard let database = result.text(row: row, column: 0), let name = result.text(row: row, column: 1),
                let definition = result.document(row: row, column: 2)
            else { continue }
            roles.append(
                try StorageError.ofRecord { () throws(CommandError) in
                    try RoleRecord(name: RoleName(name, in: database), document: definition)
                })
        }
        return RoleGraph(roles)
    }

    static func hasAnybody(on connection: Connection) throws(StorageError) -> Bool {
        let result = try CatalogSQL.execute(
            "SELECT EXISTS (SELECT FROM martlet.users) OR EXISTS (SELECT FROM martlet.roles)", [], on: connection)
        return result.bool(row: 0, column: 0) ?? true
    }
}

extension StatementResult {
    fileprivate func document(row: Int, column: Int) -> Document? {
        bytes(row: row, column: column).flatMap(RawDocument.init).map(Document.init(copying:))
    }
}

extension StorageError {
    /// What lies in the catalog was checked when it was written there, so that it is no client's fault.
    fileprivate static func ofRecord<R>(_ body: () throws(CommandError) -> R) throws(StorageError) -> R {
        do throws(CommandError) { return try body() } catch {
            throw .command(CommandError(.internalError, "users or roles in the catalog are damaged"))
        }
    }
}
