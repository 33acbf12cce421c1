internal import CLibPQ

/// Stops, from any thread, whatever a connection is running.
///
/// A cancel request travels over a connection of its own and names a backend, not a statement: it may arrive late and
/// hit the statement that follows. The caller must be ready for `57014` on any statement of that connection.
//
// Safety: the pointer never changes, PQcancel only reads what it points to and is documented as thread-safe, and
// it is freed when the last owner lets go.
package final class CancelHandle: @unchecked Sendable {
    private let handle: OpaquePointer

    init(adopting handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        PQfreeCancel(handle)
    }

    /// Sends the request; false when the server could not be reached. Blocks for a round trip.
    @discardableResult
    package func cancel() -> Bool {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            PQcancel(handle, message.baseAddress, Int32(message.count)) == 1
        }
    }
}
