import BSON
import CommandModel
import Testing

@Suite("Commands as others may see them")
struct ShownCommandTests {
    private func shown(_ json: String) throws -> String {
        try CommandRequest(body: Document(extendedJSON: json), sequences: []).shownText
    }

    @Test(
        "secrets are not shown",
        arguments: [
            #"{"createUser": "u", "pwd": "S3CRET", "roles": []}"#, #"{"updateUser": "u", "pwd": {"a": "S3CRET"}}"#,
            #"{"saslStart": 1, "payload": "S3CRET"}"#, #"{"saslContinue": 1, "payload": "S3CRET"}"#,
            #"{"authenticate": 1, "key": "S3CRET", "nonce": "S3CRET"}"#,
            #"{"hello": 1, "speculativeAuthenticate": {"payload": "S3CRET"}}"#,
            #"{"isMaster": 1, "speculativeAuthenticate": {"payload": "S3CRET"}}"#,
            #"{"explain": {"createUser": "u", "pwd": "S3CRET"}}"#,
            #"{"explain": {"explain": {"saslStart": 1, "payload": "S3CRET"}}}"#,
            #"{"martletSQL": {"createUser": "u", "pwd": "S3CRET"}}"#,
            #"{"createUser": "u", "pwd": "x", "pwd": "S3CRET"}"#,
        ])
    func redacted(json: String) throws {
        let text = try shown(json)
        #expect(!text.contains("S3CRET"))
        #expect(text.contains("xxx"))
    }

    @Test("all else is shown as it came")
    func others() throws {
        #expect(try shown(#"{"find": "c", "filter": {"pwd": 1}}"#) == "{ find: \"c\", filter: { pwd: 1 } }")
        #expect(try shown(#"{"explain": {"find": "c"}}"#) == "{ explain: { find: \"c\" } }")
        #expect(
            try shown(#"{"createUser": "u", "pwd": "p", "roles": [1]}"#)
                == "{ createUser: \"u\", pwd: \"xxx\", roles: [ 1 ] }")
    }
}
