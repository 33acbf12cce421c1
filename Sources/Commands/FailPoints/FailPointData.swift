package import BSON
package import CommandModel

/// The `data` of a fail point: which commands it is about, and what happens to them.
package struct FailPointData: Sendable {
    static let blockMillisecondsMax: Int64 = 24 * 60 * 60 * 1_000

    private(set) var commands: [String] = []
    private(set) var concernsAllCommands = false
    private(set) var applicationName: String?
    /// `database.collection`.
    private(set) var namespace: String?
    package private(set) var errorCode: Int32?
    /// nil says nothing; an empty list says that there is to be no label.
    package private(set) var errorLabels: [String]?
    package private(set) var writeConcernError: Document?
    /// nil when nothing is said, which means different things to different fail points.
    package private(set) var closesConnection: Bool?
    package private(set) var blockMilliseconds: Int64 = 0
    /// `failBeforeCommitExceptionCode`.
    package private(set) var failsBeforeCommit = false

    init() {}

    init(_ document: RawDocument) throws(CommandError) {
        var blocks = false
        for field in document {
            let argument = Argument(command: "configureFailPoint.data", key: field.key, value: field.value)
            switch field.key {
            case "failCommands": commands = try argument.strings()
            case "failAllCommands": concernsAllCommands = try argument.lenientBool()
            case "appName": applicationName = try argument.string()
            case "namespace": namespace = try argument.string()
            case "errorLabels": errorLabels = try argument.strings()
            case "errorCode", "failBeforeCommitExceptionCode":
                errorCode = Int32(clamping: try argument.integer())
                failsBeforeCommit = !(field.key == "errorCode")
            case "writeConcernError": writeConcernError = try argument.document()
            case "closeConnection": closesConnection = try argument.lenientBool()
            case "blockConnection": blocks = try argument.lenientBool()
            case "blockTimeMS": blockMilliseconds = min(try argument.nonNegativeInteger(), Self.blockMillisecondsMax)
            // There are no internal commands here.
            case "failInternalCommands": _ = try argument.lenientBool()
            default: throw argument.unknownField()
            }
        }
        if !blocks { blockMilliseconds = 0 }
    }

    /// Whether a command is one of those that are meant.
    ///
    /// - Parameters:
    ///   - command: as the client spelled it; spellings of one command differ in upper and lower case only.
    ///   - namespace: `database.collection`.
    func concerns(command: String, applicationName: String?, namespace: String) -> Bool {
        let name = command.lowercased()
        guard concernsAllCommands || commands.contains(where: { $0.lowercased() == name }) else { return false }
        if let wanted = self.applicationName, wanted != applicationName { return false }
        if let wanted = self.namespace, wanted != namespace { return false }
        return true
    }
}

extension Argument {
    fileprivate func strings() throws(CommandError) -> [String] {
        var strings: [String] = []
        for element in try array() {
            guard let string = element.value.string else {
                throw .wrongType("\(name).\(element.key.string)", element.value, expected: "string")
            }
            strings.append(string)
        }
        return strings
    }
}
