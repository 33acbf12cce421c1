import BSON
import CommandModel
import Testing

@testable import Access

private func collection(_ database: String, _ name: String) -> Target {
    .collection(Namespace(database: database, collection: name))
}

@Suite("Resources and privileges")
struct ResourceTests {
    @Test(
        "what a resource covers",
        arguments: [
            (Resource.collection("a", "c"), collection("a", "c"), true),
            (.collection("a", "c"), collection("a", "d"), false),
            (.collection("a", "c"), collection("b", "c"), false),
            (.collection("a", "c"), .database("a"), false),
            (.collection("a", "c"), .cluster, false),
            (.collection("a", ""), collection("a", "c"), true),
            (.collection("a", ""), collection("a", "system.js"), false),
            (.collection("a", ""), collection("ab", "c"), false),
            (.collection("a", ""), .database("a"), true),
            (.collection("a", ""), .database("b"), false),
            (.collection("a", ""), .database(""), false),
            (.collection("", "c"), collection("b", "c"), true),
            (.collection("", "c"), collection("b", "d"), false),
            (.collection("", "c"), .database("b"), false),
            (.collection("", ""), collection("b", "d"), true),
            (.collection("", ""), collection("b", "system.profile"), false),
            (.collection("", ""), collection("local", "replset.x"), false),
            (.collection("", ""), .database("b"), true),
            (.collection("", ""), .database(""), true),
            (.collection("", ""), .cluster, false),
            (.collection("a", "system.js"), collection("a", "system.js"), true),
            (.cluster, .cluster, true), (.cluster, .database("a"), false), (.cluster, collection("a", "c"), false),
            (.any, .cluster, true), (.any, .database("a"), true), (.any, collection("a", "system.js"), true),
            // The same to the eye, other bytes.
            (.collection("a", "caf\u{E9}"), collection("a", "cafe\u{301}"), false),
            (.collection("caf\u{E9}", ""), collection("cafe\u{301}", "c"), false),
        ])
    func covers(resource: Resource, target: Target, expected: Bool) {
        #expect(resource.covers(target) == expected)
    }

    @Test(
        "documents that are no privilege are refused",
        arguments: [
            (#"{}"#, 40414), (#"{"resource": {"cluster": true}}"#, 40414), (#"{"actions": ["find"]}"#, 40414),
            (#"{"resource": {"cluster": true}, "actions": []}"#, 9),
            (#"{"resource": {"cluster": true}, "actions": ["fly"]}"#, 9),
            (#"{"resource": {"cluster": true}, "actions": [1]}"#, 14),
            (#"{"resource": {"cluster": false}, "actions": ["find"]}"#, 9),
            (#"{"resource": {"db": "a"}, "actions": ["find"]}"#, 9),
            (#"{"resource": {"db": "a", "collection": "b", "cluster": true}, "actions": ["find"]}"#, 9),
            (#"{"resource": {"anyResource": true, "cluster": true}, "actions": ["find"]}"#, 9),
            (#"{"resource": {"db": 1, "collection": "b"}, "actions": ["find"]}"#, 14),
            (#"{"resource": {"db": "a\u0000", "collection": "b"}, "actions": ["find"]}"#, 2),
            (#"{"resource": {"x": 1}, "actions": ["find"]}"#, 40415),
            (#"{"resource": {"cluster": true}, "actions": ["find"], "x": 1}"#, 40415),
            (#"{"resource": 1, "actions": ["find"]}"#, 14),
        ] as [(String, Int32)])
    func refused(json: String, code: Int32) throws {
        let list = try Document(extendedJSON: #"{"privileges": [\#(json)]}"#)
        let error = #expect(throws: CommandError.self) {
            try list.withRaw { raw throws(CommandError) in
                if let array = raw["privileges"]?.array { _ = try Privilege.list(array) }
            }
        }
        #expect(error?.code.number == code)
    }

    @Test("actions of one resource come together, and go one by one")
    func sets() {
        var set = PrivilegeSet([
            Privilege(.collection("a", "c"), [.find]), Privilege(.collection("a", "c"), [.insert, .update]),
            Privilege(.cluster, [.top]),
        ])
        #expect(set.all.map(\.actions.names) == [["top"], ["find", "insert", "update"]])
        #expect(set.allows(.insert, on: collection("a", "c")))
        #expect(!set.allows(.remove, on: collection("a", "c")))
        set.remove(Privilege(.collection("a", "c"), [.insert]))
        #expect(!set.allows(.insert, on: collection("a", "c")))
        set.remove(Privilege(.collection("a", "c"), [.find, .update]))
        #expect(set.all.count == 1)
    }

    @Test("any action on any resource is everything, and only together")
    func anyAction() {
        let everything = PrivilegeSet([Privilege(.any, [.anyAction])])
        #expect(everything.allows(.shutdown, on: .cluster))
        let onCluster = PrivilegeSet([Privilege(.cluster, [.anyAction])])
        #expect(onCluster.allows(.shutdown, on: .cluster))
        #expect(!onCluster.allows(.find, on: collection("a", "c")))
    }

    @Test("each action is a bit of its own", arguments: Action.allCases)
    func bits(action: Action) {
        let set: ActionSet = [action]
        #expect(Action.allCases.filter(set.has) == [action])
        #expect(set.names == [action.name])
        #expect(Action(name: action.name) == action)
        var emptied = set
        emptied.remove(action)
        #expect(emptied.isEmpty)
    }

    @Test("who sees a database")
    func seeing() {
        let set = PrivilegeSet([Privilege(.collection("a", "c"), [.find]), Privilege(.cluster, [.top])])
        #expect(set.concerns(database: "a"))
        #expect(!set.concerns(database: "b"))
        #expect(PrivilegeSet([Privilege(.collection("", "c"), [.find])]).concerns(database: "b"))
        #expect(!PrivilegeSet().concerns(database: "a"))
    }
}
