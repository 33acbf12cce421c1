/// Which pools an operation has used, and by which statements: for who wants to know why it was slow.
///
/// Texts only, never values: those of clients are parameters. Statements that are prepared share their text, so that to
/// note one costs no copy; and most operations have one step, for which there is a place.
package struct OperationTrace: Sendable, Equatable {
    package struct Step: Sendable, Equatable {
        package var pool: String?
        package var sql: String?
    }

    /// What comes beyond is left out: the first steps tell what an operation is about.
    package static let stepsMax = 4

    private var first: Step?
    private var others: [Step] = []

    package init() {}

    package var steps: [Step] { first.map { [$0] + others } ?? [] }

    /// - Parameters:
    ///   - pool: that the operation waits for; nil for the one it has.
    ///   - sql: nil where it is told once the connection is there.
    mutating func note(pool: String?, sql: String?) {
        let last = others.last ?? first
        var step = Step(pool: pool ?? last?.pool, sql: sql)
        if let last, last.sql == nil, last.pool == step.pool {
            removeLast()
            step.sql = sql ?? last.sql
        }
        guard others.count + 1 < Self.stepsMax, step != first, !others.contains(step) else { return }
        if first == nil { first = step } else { others.append(step) }
    }

    private mutating func removeLast() {
        if others.popLast() == nil { first = nil }
    }
}
