import SQL
import Testing

@Suite struct StatementCommentTests {
    @Test("values cannot end the comment, whatever they are")
    func hostile() {
        let comment = StatementComment(
            database: "a'*/;b", collection: "c\\'\u{0}é%\n$1?", operation: "find", comment: "*/ DROP x; /*",
            traceParent: "00-'-01")
        #expect(
            comment.bounded == " /*collection='c%5C%27%00%C3%A9%25%0A%241%3F',db='a%27%2A%2F%3Bb',op='find'*/")
        #expect(
            comment.everything.hasSuffix(
                ",comment='%2A%2F%20DROP%20x%3B%20%2F%2A',db='a%27%2A%2F%3Bb',op='find',traceparent='00-%27-01'*/"
            ))
    }

    @Test("long values are cut")
    func long() {
        let long = String(repeating: "x", count: 100_000)
        let comment = StatementComment(database: long, collection: long, operation: long, comment: long)
        #expect(comment.everything.utf8.count < 5 * StatementComment.valueBytesMax)
    }

    @Test("statements that are kept get nothing that one command alone has")
    func kept() {
        let comment = StatementComment(database: "d", collection: nil, operation: "find", comment: "c")
        #expect(Statement("SELECT 1").commented(comment).text == "SELECT 1 /*db='d',op='find'*/")
        #expect(Statement.once("SELECT 1").commented(comment).text == "SELECT 1 /*comment='c',db='d',op='find'*/")
        #expect(Statement("SELECT 1").commented(nil).text == "SELECT 1")
        #expect(!StatementComment(database: "d", collection: nil, operation: "find").isClients)
    }
}
