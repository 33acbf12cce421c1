import BSON
import CommandModel
import Metrics
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Numbered commands of three sessions, sent again and again, one after another and at once, through two servers,
    /// while connections are killed: each statement takes effect once, and every copy is told the same.
    @Suite(.timeLimit(.minutes(20))) struct GuardScheduleTests {
        static let sessions = 3
        static let commandsPerSession = 30
        static let sharedDocuments = 4
        static let groups = 2

        /// One statement. Its effect carries a mark that nothing else has.
        private enum Statement: Sendable, CaseIterable {
            case insert, duplicate, push, pushBefore, pushByFilter, pushSorted, pushMany, upsert, remove, nothing
        }

        private enum Command: Sendable {
            case statements([Statement])
            /// Documents, of which the one at this position is there already.
            case bulk(count: Int, duplicate: Int?, ordered: Bool)

            static func random(using random: inout SeededGenerator) -> Command {
                if Int.random(in: 0..<3, using: &random) == 0 {
                    let count = Int.random(in: 2..<6, using: &random)
                    let duplicate = Bool.random(using: &random) ? Int.random(in: 1..<count, using: &random) : nil
                    return .bulk(count: count, duplicate: duplicate, ordered: Bool.random(using: &random))
                }
                // The first one always has an effect, so that the session's row comes to this number.
                let more = (0..<Int.random(in: 0..<4, using: &random)).compactMap { _ in
                    Statement.allCases.randomElement(using: &random)
                }
                return .statements([.push] + more)
            }
        }

        private struct Reply: Sendable {
            /// To each statement.
            let answers: [String]
            /// Statements that were answered from what is recorded.
            let repeated: [Int32]

            init(_ answers: [String], _ repeated: [Int32]) { (self.answers, self.repeated) = (answers, repeated) }
        }

        /// A command of a session, as it is sent any number of times.
        private struct Numbered: Sendable {
            let session: Int
            let number: Int64
            let command: Command

            func mark(_ statement: Int) -> String { "\(session)-\(number)-\(statement)" }
            private func push(_ statement: Int) -> String { "{\"$push\": {\"log\": \"\(mark(statement))\"}}" }

            func send(
                through test: TestStore, to collection: Storage.Collection, isRetry: Bool
            ) async throws(StorageError) -> Reply {
                let session = LogicalSessionID(uuid: [UInt8](repeating: UInt8(session), count: 16))
                let guarded = StatementGuard(RetryIdentity(session: session, number: number))
                if isRetry { try await test.engine.load(guarded) }
                var store = DocumentStore(test.engine)
                store.guarded = guarded
                switch command {
                case .bulk(let count, let duplicate, let ordered):
                    let documents = (0..<count).map { json("{\"_id\": \"\($0 == duplicate ? "old" : mark($0))\"}") }
                    let errors = try await store.insert(
                        documents, statements: (0..<Int32(count)).map { $0 }, into: collection, isOrdered: ordered)
                    return Reply([RandomOperation.text(errors)], guarded.repeatedStatements)
                case .statements(let statements):
                    var answers: [String] = []
                    for (number, statement) in statements.enumerated() {
                        answers.append(try await run(statement, number, on: store, in: collection))
                    }
                    return Reply(answers, guarded.repeatedStatements)
                }
            }

            private func run(
                _ statement: Statement, _ number: Int, on store: DocumentStore, in collection: Storage.Collection
            ) async throws(StorageError) -> String {
                switch statement {
                case .insert, .duplicate:
                    let id = statement == .duplicate ? "old" : mark(number)
                    return RandomOperation.text(
                        try await store.insert(
                            [json("{\"_id\": \"\(id)\"}")], statements: [Int32(number)], into: collection,
                            isOrdered: true))
                case .pushMany:
                    return try await store.modifyMany(
                        operation(statement, number), statement: Int32(number), in: collection, deadline: .never
                    ).text
                default:
                    let sort = statement == .pushSorted ? try? SortPattern(compiling: json(#"{"_id": -1}"#)) : nil
                    return try await store.modifyOne(
                        operation(statement, number), statement: Int32(number), in: collection, sort: sort,
                        deadline: .never
                    ).text
                }
            }

            private func operation(_ statement: Statement, _ number: Int) throws(StorageError) -> DocumentOperation {
                let (id, group) = ((session + number) % sharedDocuments, (session + number) % groups)
                do {
                    return switch statement {
                    case .pushBefore: try .update("{\"_id\": \(id)}", push(number), images: true)
                    case .pushByFilter: try .update("{\"g\": \(group)}", push(number))
                    case .pushSorted: try .update("{\"g\": \(group)}", push(number), images: true)
                    case .pushMany: try .update("{\"g\": \(group)}", push(number), multi: true)
                    case .upsert: try .update("{\"_id\": \"\(mark(number))\"}", push(number), upsert: true)
                    case .remove: try .delete("{\"_id\": \"old-\(mark(number))\"}", images: true)
                    case .nothing: try .update(#"{"_id": "nobody"}"#, push(number))
                    default: try .update("{\"_id\": \(id)}", push(number))
                    }
                } catch { throw .command(CommandError(.badValue, "\(error)")) }
            }

            /// Marks that must be found, and how often; and documents that must be gone.
            func expect(_ found: inout Found) {
                switch command {
                case .bulk(let count, let duplicate, let ordered):
                    for position in 0..<count where position != duplicate {
                        let isBehind = ordered && duplicate.map { position > $0 } ?? false
                        found.marks[mark(position)] = isBehind ? nil : 1
                    }
                case .statements(let statements):
                    for (number, statement) in statements.enumerated() {
                        switch statement {
                        case .nothing, .duplicate: break
                        case .remove: found.olds.remove("old-\(mark(number))")
                        // As `_id` and in the log.
                        case .upsert, .pushMany: found.marks[mark(number)] = 2
                        default: found.marks[mark(number)] = 1
                        }
                    }
                }
            }

            /// The statements that take effect.
            var effective: [Int32] {
                switch command {
                case .bulk(let count, let duplicate, let ordered):
                    let end = ordered ? duplicate ?? count : count
                    return (0..<end).filter { $0 != duplicate }.map(Int32.init)
                case .statements(let statements):
                    return statements.indices.filter { statements[$0] != .nothing && statements[$0] != .duplicate }
                        .map(Int32.init)
                }
            }

            var olds: [String] {
                guard case .statements(let statements) = command else { return [] }
                return statements.indices.filter { statements[$0] == .remove }.map { "old-\(mark($0))" }
            }
        }

        struct Found: Equatable {
            var marks: [String: Int] = [:]
            var olds: Set<String> = []

            init(olds: [String]) { self.olds = Set(olds) }

            init(_ documents: [Document]) {
                for document in documents {
                    document.withRaw { raw in
                        if let id = raw["_id"]?.string {
                            if id.hasPrefix("old") { olds.insert(id) } else { marks[id, default: 0] += 1 }
                        }
                        guard let log = raw["log"]?.array else { return }
                        for element in log { marks[element.value.string ?? "?", default: 0] += 1 }
                    }
                }
            }
        }

        private let stores: [TestStore]
        private let collection: Storage.Collection

        init() async throws {
            let database = try TestServer.database()
            stores = [try TestStore(database), try TestStore(database)]
            collection = try await stores[0].collection()
        }

        /// As drivers do, until it is answered.
        private func sendUntilAnswered(
            _ numbered: Numbered, through first: Int, isRetry: Bool
        ) async throws -> Reply {
            for attempt in 0..<1_000 {
                do throws(StorageError) {
                    return try await numbered.send(
                        through: stores[(first + attempt) % 2], to: collection, isRetry: isRetry || attempt > 0)
                } catch {
                    // Connections are lost, and races; anything else is an answer.
                    let error = CommandError(error)
                    guard [6, 10107, 112].contains(error.code.number) else { return Reply(["\(error)"], []) }
                }
                await Backoff.sleep(attempt: min(attempt + 1, 5))
            }
            return Reply(["never answered"], [])
        }

        /// Ends some connections, whoever they belong to.
        private func kill(_ count: Int) {
            guard count > 0, let connection = try? stores[0].connect() else { return }
            _ = try? connection.execute(
                SQL.Statement(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1) AS p
                    """, [.int8(Int64(count))]))
        }

        /// - Parameter killsMax: connections that are killed for each command.
        private func play(_ plan: [Numbered], seed: UInt64, killsMax: Int) async throws {
            var random = SeededGenerator(seed: seed)
            var older: Numbered?
            for numbered in plan {
                let copies = Int.random(in: 1...3, using: &random)
                let kills = Int.random(in: 0...killsMax, using: &random)
                let (first, isRetry) = (Int.random(in: 0..<2, using: &random), Bool.random(using: &random))
                let answers = Shared<[[String]]>([])
                try await concurrently(copies + 1) { copy in
                    if copy == copies { return kill(kills) }
                    let reply = try await sendUntilAnswered(
                        numbered, through: first + copy, isRetry: copy > 0 && isRetry)
                    answers.update { $0.append(reply.answers) }
                }
                for repeated in 0..<Int.random(in: 0...2, using: &random) {
                    let reply = try await sendUntilAnswered(
                        numbered, through: first + repeated, isRetry: Bool.random(using: &random))
                    answers.update { $0.append(reply.answers) }
                    #expect(reply.repeated == numbered.effective, "\(numbered) MARTLET_SEED=\(seed)")
                }
                let comment: Comment = "\(numbered) MARTLET_SEED=\(seed): \(answers.value)"
                #expect(Set(answers.value).count == 1, comment)
                if let older, Int.random(in: 0..<3, using: &random) == 0 {
                    let late = try await sendUntilAnswered(
                        older, through: first, isRetry: Bool.random(using: &random))
                    #expect(late.answers.first?.hasPrefix("TransactionTooOld (225)") == true, comment)
                }
                older = numbered
            }
        }

        @Test(
            "each statement takes effect once and its copies are told the same, whatever comes again, whatever breaks",
            arguments: [0, 3])
        func schedule(killsMax: Int) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            let plans = (0..<Self.sessions).map { session in
                var random = SeededGenerator(seed: seed &+ UInt64(session) &* 31)
                return (1...Self.commandsPerSession).map { number in
                    Numbered(session: session, number: Int64(number), command: .random(using: &random))
                }
            }
            let olds = ["old"] + plans.joined().flatMap(\.olds)
            try await stores[0].engine.fill(olds.map { json("{\"_id\": \"\($0)\"}") }, into: collection)
            try await stores[0].engine.fill(
                (0..<Self.sharedDocuments).map { json("{\"_id\": \($0), \"g\": \($0 % Self.groups), \"log\": []}") },
                into: collection)
            try await concurrently(Self.sessions) { session in
                try await play(plans[session], seed: seed &+ UInt64(session) &* 101, killsMax: killsMax)
            }
            var expected = Found(olds: olds)
            for numbered in plans.joined() { numbered.expect(&expected) }
            let found = Shared<Found?>(nil)
            // A connection killed while idle may fail the first work on it.
            _ = try await eventually {
                await errorCode {
                    let documents = try await stores[0].engine.documents(of: collection)
                    found.update { $0 = Found(documents) }
                } == nil
            }
            #expect(found.value == expected, "MARTLET_SEED=\(seed)")
            // The test is none if nothing came again.
            #expect(stores.reduce(0) { $0 + $1.engine.metrics.deduplicated.value } > 0)
        }
    }
}
