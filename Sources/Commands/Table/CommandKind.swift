/// What sort of work a command is: few enough for a table that one reads at a glance.
package enum CommandKind: String, Sendable, CaseIterable {
    case find, getMore, aggregate, insert, update, delete, findAndModify, bulkWrite, other

    /// Nil for a handshake, which may wait for news as long as its client likes.
    init?(command: String) {
        switch command {
        case "hello", "isMaster", "ismaster": return nil
        case "aggregate", "count", "distinct", "mapReduce", "mapreduce": self = .aggregate
        case "findandmodify": self = .findAndModify
        default: self = Self(rawValue: command) ?? .other
        }
    }

    /// As MongoDB tells latencies apart.
    package enum Class: Int, Sendable, CaseIterable {
        case reads, writes, commands
    }

    package var `class`: Class {
        switch self {
        case .find, .getMore, .aggregate: .reads
        case .insert, .update, .delete, .findAndModify, .bulkWrite: .writes
        case .other: .commands
        }
    }
}
