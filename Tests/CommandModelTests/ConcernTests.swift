import BSON
import Testing

@testable import CommandModel

@Suite("Read and write concern")
struct ConcernTests {
    @Test(
        "a read concern is checked field by field",
        arguments: [
            ("{}", nil), (#"{"level":"majority"}"#, nil), (#"{"level":null}"#, nil),
            (#"{"provenance":"customDefault"}"#, nil), (#"{"afterClusterTime":{"$timestamp":{"t":1,"i":1}}}"#, nil),
            (#"{"level":"LOCAL"}"#, 2), (#"{"level":1}"#, 14), (#"{"provenance":"me"}"#, 2), (#"{"w":1}"#, 40415),
            (#"{"afterClusterTime":null}"#, 14), (#"{"afterClusterTime":1}"#, 14),
            (#"{"afterClusterTime":{"$timestamp":{"t":0,"i":0}}}"#, 72),
            (#"{"level":"available","afterClusterTime":{"$timestamp":{"t":1,"i":1}}}"#, 72),
            (#"{"atClusterTime":{"$timestamp":{"t":1,"i":1}}}"#, 72),
            (#"{"level":"snapshot","atClusterTime":{"$timestamp":{"t":1,"i":1}}}"#, nil),
            (#"{"level":"snapshot","atClusterTime":{"$timestamp":{"t":0,"i":1}}}"#, 72), ("1", 14),
        ] as [(String, Int32?)])
    func readConcern(json: String, code: Int32?) throws {
        #expect(try refusal(#"{"find":"c","readConcern":\#(json)}"#) == code)
    }

    @Test(
        "a write concern is checked field by field",
        arguments: [
            ("{}", nil), (#"{"w":1.5,"j":true,"wtimeout":-5}"#, nil), (#"{"w":"majority"}"#, nil),
            (#"{"w":{"dc":1}}"#, nil), (#"{"wtimeout":{"$numberDouble":"-Infinity"}}"#, nil),
            (#"{"w":-1}"#, 9), (#"{"w":51}"#, 9), (#"{"w":{"$numberDouble":"NaN"}}"#, 9), (#"{"w":{}}"#, 9),
            (#"{"w":{"dc":"x"}}"#, 9), (#"{"w":true}"#, 9), (#"{"wtimeout":2147483648}"#, 9), (#"{"j":"yes"}"#, 14),
            (#"{"j":true,"fsync":true}"#, 9), (#"{"provenance":"me"}"#, 2), (#"{"provenance":1}"#, 14),
            (#"{"level":"local"}"#, 40415), ("[]", 14),
        ] as [(String, Int32?)])
    func writeConcern(json: String, code: Int32?) throws {
        #expect(try refusal(#"{"insert":"c","writeConcern":\#(json)}"#) == code)
    }

    @Test("w: 0 asks for no answer, unless the journal is asked for")
    func unacknowledged() throws {
        let concern = { (json: String) in try request(#"{"insert":"c","writeConcern":\#(json)}"#).shared.writeConcern }
        #expect(try concern(#"{"w":0}"#)?.isUnacknowledged == true)
        #expect(try concern(#"{"w":0.9}"#)?.isUnacknowledged == true)
        #expect(try concern(#"{"w":0,"j":true}"#)?.isUnacknowledged == false)
        #expect(try concern(#"{"w":1}"#)?.isUnacknowledged == false)
    }

    @Test("what one member cannot give is said in the reply")
    func unsatisfied() throws {
        let code = { (json: String) in
            try request(#"{"insert":"c","writeConcern":\#(json)}"#).shared.writeConcern?.unsatisfied?.code.number
        }
        #expect(try code(#"{"w":2}"#) == 100)
        #expect(try code(#"{"w":"dc2"}"#) == 79)
        #expect(try code(#"{"w":"majority"}"#) == nil)
    }

    @Test(
        "a command takes the concerns that mean something to it",
        arguments: [
            ("find", #""readConcern":{"level":"linearizable"}"#, nil),
            ("count", #""readConcern":{"level":"majority"}"#, nil),
            ("count", #""readConcern":{"level":"snapshot"}"#, 72), ("insert", #""readConcern":{"level":"local"}"#, nil),
            ("insert", #""readConcern":{"level":"majority"}"#, 72), ("find", #""writeConcern":{}"#, 72),
            ("update", #""writeConcern":{"w":1}"#, nil), ("killCursors", #""writeConcern":null"#, nil),
        ] as [(String, String, Int32?)])
    func support(command: String, field: String, code: Int32?) throws {
        let shared = try request(#"{"\#(command)":"c",\#(field)}"#).shared
        var found: Int32?
        do throws(CommandError) {
            try ConcernSupport(of: command).check(shared, command: command)
        } catch { found = error.code.number }
        #expect(found == code)
    }
}
