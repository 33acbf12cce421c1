import Glibc
import Logging
import Testing

@testable import Postgres
@testable import SQL

@Suite(.timeLimit(.minutes(20)), .serialized) struct EmbeddedServerTests {
    /// A server of its own, for tests that hurt it. The directory goes away with the test.
    private func withServer(name: String, _ body: (EmbeddedServer, String) throws -> Void) throws {
        let directory = "/tmp/martlet-embedded-\(getpid())-\(name)"
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", directory]) }
        let server = try start(directory)
        defer { server.stop() }
        try body(server, directory)
    }

    private func start(_ directory: String) throws -> EmbeddedServer {
        try EmbeddedServer.start(EmbeddedServerOptions(dataDirectory: directory), logger: Logger(label: "tests"))
    }

    private func isRunning(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }

    private func setting(_ name: String, _ connection: Connection) throws -> String? {
        try connection.execute(.once("SELECT current_setting($1)", [.text(name)])).text(row: 0, column: 0)
    }

    @Test("a private server is durable, checked and reachable only through its socket")
    func configuration() throws {
        try withServer(name: "configuration") { server, _ in
            let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
            let expected = [
                "data_checksums": "on", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
                "listen_addresses": "", "jit": "off", "server_encoding": "UTF8", "lc_collate": "C",
                "default_toast_compression": "lz4",
            ]
            for (name, value) in expected { #expect(try setting(name, connection) == value, "\(name)") }
            let status = try #require(FilePath.status(server.socketDirectory))
            #expect(status.st_mode & 0o777 == 0o700)
        }
    }

    @Test("data outlives the server, and a second Martlet on the same directory is refused")
    func restartAndLock() throws {
        try withServer(name: "lock") { server, directory in
            let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
            try connection.execute(script: "CREATE TABLE t (a int8); INSERT INTO t VALUES (7)")
            let refusal = #expect(throws: EmbeddedServerError.self) { try start(directory) }
            #expect(refusal?.why.contains("another Martlet (process \(getpid()))") == true)
        }
        let directory = "/tmp/martlet-embedded-\(getpid())-again"
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", directory]) }
        for round in 0..<2 {
            let server = try start(directory)
            let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
            if round == 0 { try connection.execute(script: "CREATE TABLE t ()") }
            #expect(try connection.execute(.once("SELECT FROM t")).rowCount == 0)
            let pid = try #require(server.postmasterPID)
            server.stop()
            #expect(!isRunning(pid) && server.crashes == 0)
        }
    }

    @Test("a postmaster that is killed comes back with what was committed")
    func killedPostmaster() throws {
        try withServer(name: "killed") { server, _ in
            let options = ConnectionOptions(conninfo: server.conninfo)
            let connection = try Connection.connect(options)
            try connection.execute(script: "CREATE TABLE t (a int8); INSERT INTO t VALUES (7)")
            let pid = try #require(server.postmasterPID)
            kill(pid, SIGKILL)
            var found: Int64?
            #expect(
                eventually {
                    found = try? Connection.connect(options).execute(.once("SELECT a FROM t")).int8(row: 0, column: 0)
                    return found != nil && server.postmasterPID != pid
                })
            #expect(found == 7 && server.crashes >= 1)
        }
    }

    @Test("no server is left behind when its Martlet is killed")
    func noOrphan() async throws {
        let directory = "/tmp/martlet-embedded-\(getpid())-orphan"
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", directory]) }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            // The body runs in a child of this process and shares nothing with it but the rule for the name.
            let options = EmbeddedServerOptions(dataDirectory: "/tmp/martlet-embedded-\(getppid())-orphan")
            _ = try EmbeddedServer.start(options, logger: Logger(label: "tests"))
            kill(getpid(), SIGKILL)
        }
        let data = DataDirectory(directory)
        #expect(data.clusterVersion != nil)
        // A clean shutdown removes the file, and nobody but the kernel has asked for one.
        #expect(eventually { !FilePath.exists(data.postmasterFile) })
    }

    @Test("a server left running on the data directory is stopped before ours starts")
    func oldPostmaster() throws {
        let directory = "/tmp/martlet-embedded-\(getpid())-old"
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", directory]) }
        try start(directory).stop()
        let data = DataDirectory(directory)
        let account = try ServerAccount.choose(clusterDirectory: data.cluster)
        let binaries = try ServerBinaries.find(named: nil, forCluster: data.clusterVersion)
        let log = data.openLog()
        let old = try #require(
            ChildProcess.start(account.command([binaries.postgres, "-D", data.cluster]), output: log))
        close(log)
        #expect(eventually { FilePath.exists(data.postmasterFile) })
        // Somebody has to collect it, as init does for a real orphan.
        let reaper = NativeThread.start(name: "reaper") { _ = old.wait() }
        let server = try start(directory)
        reaper?.join()
        #expect(server.crashes == 0 && server.postmasterPID != old.pid)
        server.stop()
    }

    @Test("a stale postmaster.pid with the number of another process is no obstacle")
    func stalePostmasterFile() throws {
        let directory = "/tmp/martlet-embedded-\(getpid())-stale"
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", directory]) }
        try start(directory).stop()
        let data = DataDirectory(directory)
        #expect(FilePath.replace(data.postmasterFile, with: "\(getpid())\n\(data.cluster)\n", mode: 0o600))
        let server = try start(directory)
        #expect(server.crashes == 0)
        server.stop()
    }

    @Test("a long data directory gets a socket elsewhere, and odd characters in its path do no harm")
    func oddPaths() throws {
        let name = "it's a \"long\" path, \\ " + String(repeating: "x", count: 80)
        try withServer(name: name) { server, _ in
            defer {
                server.stop()
                #expect(!FilePath.exists(server.socketDirectory))
            }
            #expect(server.socketDirectory.utf8.count <= SocketDirectory.pathByteCountMax)
            _ = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
        }
    }

    @Test("errors say what, why and what to do")
    func errors() throws {
        var options = EmbeddedServerOptions(dataDirectory: "/tmp/martlet-embedded-\(getpid())-errors")
        defer { _ = ChildProcess.run(["/bin/rm", "-rf", options.dataDirectory]) }
        options.binaryDirectory = "/nonexistent"
        let logger = Logger(label: "tests")
        let noBinaries = #expect(throws: EmbeddedServerError.self) { try EmbeddedServer.start(options, logger: logger) }
        #expect(noBinaries?.description.contains("/nonexistent") == true)
        options.binaryDirectory = nil
        options.extraSettings = [.init("no_such_setting_at_all", "1")]
        let badSetting = #expect(throws: EmbeddedServerError.self) { try EmbeddedServer.start(options, logger: logger) }
        #expect(badSetting?.why.contains("no_such_setting_at_all") == true)
    }

    @Test("versions are read from what postgres says of itself")
    func versions() {
        #expect(ServerBinaries.majorVersion(ofBanner: "postgres (PostgreSQL) 15.4 (Debian 15.4-1.pgdg)") == 15)
        #expect(ServerBinaries.majorVersion(ofBanner: "postgres (PostgreSQL) 17beta1\n") == 17)
        #expect(ServerBinaries.majorVersion(ofBanner: "nonsense") == nil)
    }
}
