/// Which pools an operation has used, and by which statements: for who wants to know why it was slow.
///
/// Texts only, never values: those of clients are parameters. Statements that are prepared share their text, so that to
/// note one costs no copy.
package struct OperationTrace: Sendable, Equatable {
    package struct Step: Sendable, Equatable {
        package var pool: String?
        package var sql: String?
    }

    /// What comes beyond is left out: the first steps tell what an operation is about.
    package static let stepsMax = 4

    package private(set) var steps: [Step] = []

    package init() {}

    /// - Parameters:
    ///   - pool: that the operation waits for; nil for the one it has.
    ///   - sql: nil where it is told once the connection is there.
    mutating func note(pool: String?, sql: String?) {
        var step = Step(pool: pool ?? steps.last?.pool, sql: sql)
        if let last = steps.last, last.sql == nil, last.pool == step.pool {
            steps.removeLast()
            step.sql = sql ?? last.sql
        }
        guard steps.count < Self.stepsMax, !steps.contains(step) else { return }
        steps.append(step)
    }
}
