package import BSON
package import CommandModel
package import NIOCore
package import Storage

/// What all connections of a server share.
package final class ServerState: Sendable {
    package let engine: StorageEngine
    package let identity: ServerIdentity
    package let clock: ClusterClock
    package let objectIDs = ObjectIDGenerator()
    package let sessions: SessionRegistry
    /// Of transactions that do not ask for one by their read concern.
    package let transactionIsolation: OpenTransaction.Isolation
    /// How long the reply to an application's idempotency key is kept.
    package let idempotencyKeyLifetimeSeconds: Int32
    package let counters = OperationCounters()
    package let requests = RequestCounters()
    package let operations = OperationRegistry()
    package let commands = CommandMetrics(names: CommandTable.standard.all.map(\.name))
    package let namespaces = NamespaceCounters()
    package let profiler = Profiler()
    package let slowCommands = SlowCommands()
    package let settings = SharedSettings()
    package let stopper = Stopper()
    package let certificates = CertificateRotation()
    package let autoCompaction = AutoCompaction()
    package let topology = Topology()
    package let cursorTimeout = CursorTimeout()
    package let expiry = ExpiryMonitor()
    package let access: AccessDirectory
    package let log: LogRing
    /// nil unless the server was started with test commands.
    package let failPoints: FailPoints?
    package let startedAt = NIODeadline.now()
    package let limits: ClientLimits
    package let audit: AuditLog

    /// - Parameter log: the ring that the process's log handlers write into.
    package init(
        engine: StorageEngine, identity: ServerIdentity, clock: ClusterClock, log: LogRing = LogRing(),
        idempotencyKeyLifetimeSeconds: Int32 = 24 * 3_600,
        transactionIsolation: OpenTransaction.Isolation = .snapshot, enablesTestCommands: Bool = false,
        enforcesAccess: Bool = false, limits: ClientLimits = ClientLimits(),
        audit: AuditLog = AuditLog(nil)
    ) {
        self.audit = audit
        self.limits = limits
        sessions = SessionRegistry(sessionsMax: limits.settings.sessionsMax)
        engine.cursors.openMax = limits.settings.cursorsMax
        access = AccessDirectory(store: engine.access, isEnforced: enforcesAccess)
        self.transactionIsolation = transactionIsolation
        self.idempotencyKeyLifetimeSeconds = idempotencyKeyLifetimeSeconds
        failPoints = enablesTestCommands ? FailPoints() : nil
        self.log = log
        self.engine = engine
        self.identity = identity
        self.clock = clock
    }

    /// Seconds since 1970 UTC.
    package var now: UInt32 { UInt32(truncatingIfNeeded: ClusterClock.wallMilliseconds() / 1_000) }

    /// An object id for a document that came without `_id`.
    package func newObjectID() -> ObjectID { objectIDs.next(seconds: now) }
}

/// Who this server says it is.
package struct ServerIdentity: Sendable {
    package let version: String
    /// Set by the host name that clients shall use: `--advertise-host`.
    package let advertisedHost: String
    package let setName: String
    package let hostName: String
    package let processID: Int64
    /// The command line, for `getCmdLineOpts`.
    package let arguments: [String]
    /// Of this run of the process: `topologyVersion.processId`.
    package let runID: ObjectID
    /// PostgreSQL's version, as it calls itself.
    package let postgresVersion: String

    package init(
        version: String, advertisedHost: String, setName: String, hostName: String, processID: Int64,
        arguments: [String], runID: ObjectID, postgresVersion: String
    ) {
        self.version = version
        self.advertisedHost = advertisedHost
        self.setName = setName
        self.hostName = hostName
        self.processID = processID
        self.arguments = arguments
        self.runID = runID
        self.postgresVersion = postgresVersion
    }
}

/// The limits that `hello` announces and the server keeps.
package enum ServerLimits {
    package static let documentBytesMax = 16 * 1024 * 1024
    package static let messageBytesMax = 48_000_000
    package static let writeBatchMax = 100_000
    package static let sessionTimeoutMinutes: Int32 = 30
    package static let minWireVersion: Int32 = 0
    /// MongoDB 8.0, which promises the bulkWrite command.
    package static let maxWireVersion: Int32 = 25
}
