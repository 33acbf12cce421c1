extension CommandTable {
    static let diagnosticCommands: [Entry] = [
        diagnostic("buildInfo", "the version of this server", buildInfo),
        diagnostic("buildinfo", "the same as buildInfo", buildInfo),
        diagnostic("connPoolStats", "connections to other members: none", connPoolStats),
        diagnostic("connectionStatus", "who is authenticated on this connection", connectionStatus),
        diagnostic("getCmdLineOpts", "the command line, without passwords", adminOnly: true, getCmdLineOpts),
        diagnostic("getDefaultRWConcern", "the default concerns", adminOnly: true, getDefaultRWConcern),
        diagnostic("getLog", "the newest lines of the log", adminOnly: true, getLog),
        diagnostic("getParameter", "shows server parameters", adminOnly: true, getParameter),
        diagnostic("hello", "the role and the limits of this server", stable: true, hello),
        diagnostic("hostInfo", "the machine and its operating system", hostInfo),
        diagnostic("isMaster", "the same as hello, in old words", isMaster),
        diagnostic("ismaster", "the same as isMaster", isMaster),
        diagnostic("listCommands", "this list", listCommands),
        diagnostic("ping", "answers", stable: true, ping),
        diagnostic("replSetGetConfig", "the replica set of one", adminOnly: true, replSetGetConfig),
        diagnostic("replSetGetStatus", "the state of the replica set of one", adminOnly: true, replSetGetStatus),
        diagnostic("serverStatus", "counters and states", serverStatus),
        diagnostic("setParameter", "changes server parameters", adminOnly: true, setParameter),
        diagnostic("whatsmyuri", "the client's address", whatsmyuri),
    ]

    private static func diagnostic(
        _ name: String, _ help: String, adminOnly: Bool = false, stable: Bool = false, _ handler: @escaping Handler
    ) -> Entry {
        entry(name, help, adminOnly: adminOnly, stable: stable, withoutConcerns(handler))
    }
}
