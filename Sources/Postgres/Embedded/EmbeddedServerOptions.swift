/// Where the private PostgreSQL lives and how it is started.
package struct EmbeddedServerOptions: Sendable {
    /// Holds the cluster, its log and the lock file. Made when missing.
    package var dataDirectory: String
    /// The directory of `postgres` and `initdb`; nil searches the usual places.
    package var binaryDirectory: String?
    /// The database made for Martlet.
    package var databaseName = "martlet"
    package var connectionsMax = 100
    /// Lines for the configuration that win over ours: `name = value`.
    package var extraSettings: [ConnectionOptions.Setting] = []
    /// How long a server may take to shut down cleanly before it is forced.
    package var stopTimeoutMilliseconds = 30_000
    /// How long a server may take until it answers. Recovery after a crash replays at most a few minutes of writes.
    package var startTimeoutMilliseconds = 600_000

    package init(dataDirectory: String, binaryDirectory: String? = nil) {
        self.dataDirectory = dataDirectory
        self.binaryDirectory = binaryDirectory
    }
}
