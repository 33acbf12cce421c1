internal import CLibPQ
internal import SQL

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A `NOTIFY` of some session.
package struct Notification: Sendable, Equatable {
    package let channel: String
    package let payload: String
    /// The process that sent it: ``Connection/backendPID`` of the sender.
    package let senderPID: Int32

    package init(channel: String, payload: String, senderPID: Int32) {
        self.channel = channel
        self.payload = payload
        self.senderPID = senderPID
    }
}

extension Connection {
    /// Subscribes this connection, which serves nothing else from then on.
    package func listen(to channel: String) throws(PostgresError) {
        _ = try execute(.once("LISTEN \(quotedIdentifier(channel))"))
    }

    /// Waits until at least one notification is there or the time is up, and returns all there are.
    ///
    /// Notifications sent while a connection was down are lost: who reconnects has to read the state anew.
    package func waitForNotifications(timeoutMilliseconds: Int) throws(PostgresError) -> [Notification] {
        if let lostError { throw lostError }
        let received = takeNotifications()
        guard received.isEmpty else { return received }
        guard poll(for: Int32(POLLIN), timeoutMilliseconds: timeoutMilliseconds) != nil else { return [] }
        guard PQconsumeInput(handle) == 1 else { throw lose() }
        return takeNotifications()
    }

    private func takeNotifications() -> [Notification] {
        var notifications: [Notification] = []
        while let next = PQnotifies(handle) {
            defer { PQfreemem(next) }
            notifications.append(
                Notification(
                    channel: String(cString: next.pointee.relname), payload: String(cString: next.pointee.extra),
                    senderPID: next.pointee.be_pid))
        }
        return notifications
    }
}
