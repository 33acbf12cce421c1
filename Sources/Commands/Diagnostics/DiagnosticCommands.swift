extension CommandTable {
    static let diagnosticCommands: [Entry] = [
        entry("buildInfo", "the version of this server", buildInfo),
        entry("buildinfo", "the same as buildInfo", buildInfo),
        entry("connPoolStats", "connections to other members: none", connPoolStats),
        entry("connectionStatus", "who is authenticated on this connection", connectionStatus),
        entry("getCmdLineOpts", "the command line, without passwords", adminOnly: true, getCmdLineOpts),
        entry("getDefaultRWConcern", "the default concerns", adminOnly: true, getDefaultRWConcern),
        entry("getLog", "the newest lines of the log", adminOnly: true, getLog),
        entry("getParameter", "shows server parameters", adminOnly: true, getParameter),
        entry("hello", "the role and the limits of this server", stable: true, hello),
        entry("hostInfo", "the machine and its operating system", hostInfo),
        entry("isMaster", "the same as hello, in old words", isMaster),
        entry("ismaster", "the same as isMaster", isMaster),
        entry("listCommands", "this list", listCommands),
        entry("ping", "answers", stable: true, ping),
        entry("replSetGetConfig", "the replica set of one", adminOnly: true, replSetGetConfig),
        entry("replSetGetStatus", "the state of the replica set of one", adminOnly: true, replSetGetStatus),
        entry("serverStatus", "counters and states", serverStatus),
        entry("setParameter", "changes server parameters", adminOnly: true, setParameter),
        entry("whatsmyuri", "the client's address", whatsmyuri),
    ]
}
