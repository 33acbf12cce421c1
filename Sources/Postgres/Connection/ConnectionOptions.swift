/// How to reach a server and how its sessions are set up.
package struct ConnectionOptions: Sendable {
    /// A run-time parameter of the session, set right after connecting.
    package struct Setting: Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A URL (`postgresql://…`) or libpq's `key=value` form. May hold a password: never log it.
    package var conninfo: String
    package var applicationName: String
    /// Per host that the URL names; a URL with a `connect_timeout` of its own wins.
    package var connectTimeoutSeconds: Int
    /// The longest silence of the server while results are awaited; nil waits for ever. A last resort for a network
    /// that swallows packets: the bound on a statement's run time is `statement_timeout`, and this must be longer.
    package var responseTimeoutMilliseconds: Int?
    /// Plans kept per connection.
    package var preparedStatementsMax: Int
    package var settings: [Setting]

    package init(
        conninfo: String, applicationName: String = "martlet", connectTimeoutSeconds: Int = 5,
        responseTimeoutMilliseconds: Int? = nil, preparedStatementsMax: Int = 1_000, settings: [Setting] = []
    ) {
        self.conninfo = conninfo
        self.applicationName = applicationName
        self.connectTimeoutSeconds = connectTimeoutSeconds
        self.responseTimeoutMilliseconds = responseTimeoutMilliseconds
        self.preparedStatementsMax = preparedStatementsMax
        self.settings = settings
    }

    /// The same server with more settings; a later one of the same name wins.
    package func setting(_ name: String, _ value: String) -> ConnectionOptions {
        var options = self
        options.settings.append(Setting(name, value))
        return options
    }

    /// JIT pays for analytic queries of many rows; ours are narrow, and compiling one costs more than running it.
    static let standardSettings = [Setting("jit", "off"), Setting("timezone", "UTC")]

    /// In libpq's order of precedence: what stands before `dbname` yields to the URL, what follows does not.
    var keywords: [(name: String, value: String)] {
        [
            ("connect_timeout", String(connectTimeoutSeconds)), ("application_name", applicationName),
            // A peer that vanished without a word is noticed within about a minute.
            ("keepalives_idle", "20"), ("keepalives_interval", "10"), ("keepalives_count", "4"),
            ("tcp_user_timeout", "60000"),
            ("dbname", conninfo), ("client_encoding", "UTF8"),
        ]
    }
}
