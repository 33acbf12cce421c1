import Testing

@testable import Storage

@Suite("Where an operation has been")
struct OperationTraceTests {
    private func trace(_ notes: [(pool: String?, sql: String?)]) -> [String] {
        var trace = OperationTrace()
        for note in notes { trace.note(pool: note.pool, sql: note.sql) }
        return trace.steps.map { "\($0.pool ?? "-"): \($0.sql ?? "-")" }
    }

    @Test("a statement belongs to the pool that the operation has waited for")
    func pairs() {
        #expect(trace([("general", nil), (nil, "SELECT 1")]) == ["general: SELECT 1"])
        #expect(trace([("readers", "SELECT 1")]) == ["readers: SELECT 1"])
        #expect(
            trace([("general", nil), (nil, "SELECT 1"), ("writers", "UPDATE 1")])
                == ["general: SELECT 1", "writers: UPDATE 1"])
        #expect(trace([("general", nil)]) == ["general: -"])
        #expect(trace([(nil, "SELECT 1")]) == ["-: SELECT 1"])
    }

    @Test("what comes again is not noted again")
    func again() {
        let scan: [(String?, String?)] = [("general", nil), (nil, "SELECT 1")]
        #expect(trace(scan + scan + scan) == ["general: SELECT 1"])
        #expect(
            trace(scan + [("general", nil), (nil, "SELECT 2")] + scan) == ["general: SELECT 1", "general: SELECT 2"])
    }

    @Test("the first steps stay, the others are left out")
    func bounded() {
        let many = (1...50).map { (pool: Optional("general"), sql: Optional("SELECT \($0)")) }
        #expect(trace(many) == (1...OperationTrace.stepsMax).map { "general: SELECT \($0)" })
    }
}
