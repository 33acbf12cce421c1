import Testing

@testable import CommandModel

@Suite("Namespace")
struct NamespaceTests {
    @Test("names that MongoDB takes", arguments: ["c", "a.b", "a$b", "system.x", "$cmd.listCollections", "ä", "a b"])
    func taken(collection: String) throws {
        #expect(try Namespace.validated(database: "db", collection: collection).description == "db.\(collection)")
    }

    @Test("names that no collection can have", arguments: ["", ".a", "$a", "$cmd", "a\0b"])
    func refused(collection: String) {
        #expect(throws: CommandError.self) { try Namespace.validated(database: "db", collection: collection) }
    }

    @Test(
        "names that no database can have",
        arguments: ["", "a.b", "a b", "a/b", "a\\b", "a\"b", "a$b", "a\0b", String(repeating: "x", count: 64)])
    func databases(name: String) {
        #expect(throws: CommandError.self) { try Namespace.validate(database: name) }
    }

    @Test("a collection that is to be created has a name of bounded length and without a dollar")
    func creation() throws {
        let longest = String(repeating: "x", count: Namespace.lengthMax - 3)
        try Namespace(database: "db", collection: longest).validateForCreation()
        for name in [longest + "x", "a$b"] {
            #expect(throws: CommandError.self) {
                try Namespace(database: "db", collection: name).validateForCreation()
            }
        }
    }
}
