package import BSON
package import CommandModel

/// The name of a user or of a role, and the database that it belongs to.
///
/// Two names are one only when they are the same bytes: Swift's own equality of strings is that of what is seen, and
/// would let one "café" log in as another.
package struct PrincipalName: Sendable, Hashable {
    package let name: String
    package let database: String

    package init(_ name: String, in database: String) {
        self.name = name
        self.database = database
    }

    package static func == (left: PrincipalName, right: PrincipalName) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.database.hasSameBytes(as: right.database)
    }

    package func hash(into hasher: inout Hasher) {
        for part in [database, name] {
            part.utf8.forEach { hasher.combine($0) }
            hasher.combine(UInt8(0))
        }
    }

    /// Where users live who are known by something else than a password that is kept here.
    package static let external = "$external"
}

package typealias UserName = PrincipalName
package typealias RoleName = PrincipalName

extension PrincipalName: CustomStringConvertible {
    package var description: String { "\(name)@\(database)" }

    /// For the log: a client chooses what it calls itself, and must neither end the line nor fill the disk.
    package var forLog: String { description.forLog }
}

extension String {
    package func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Without control characters, and not longer than a line.
    package var forLog: String {
        var text = ""
        for scalar in unicodeScalars.prefix(128) {
            let isPlain =
                scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format
                && !scalar.properties.isWhitespace
            text.unicodeScalars.append(isPlain || scalar == " " ? scalar : "\u{FFFD}")
        }
        return text
    }
}

extension DocumentBuilder {
    /// `{role: …, db: …}`
    package mutating func append(index: Int, role: RoleName) {
        beginDocument(index: index)
        append("role", string: role.name)
        append("db", string: role.database)
        end()
    }

    package mutating func append(_ key: StaticString, roles: [RoleName]) {
        beginArray(key)
        for (index, role) in roles.enumerated() { append(index: index, role: role) }
        end()
    }
}
