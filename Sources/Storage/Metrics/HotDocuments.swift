package import BSON
package import CommandModel
package import NIOCore
internal import Synchronization

/// The documents whose writes met others: folded into one version, or lost against another server.
///
/// Only such writes are noted, so that a load without contention never comes here.
package final class HotDocuments: Sendable {
    /// How many are tracked, and how many are shown.
    static let trackedMax = 64
    package static let shownMax = 10
    /// The half-life of a count.
    static let period = TimeAmount.seconds(60)

    fileprivate struct Label: Sendable {
        let namespace: Namespace
        let id: String
    }

    fileprivate struct State {
        var sketch = SpaceSaving<Label>(capacity: HotDocuments.trackedMax)
        var nextDecay: NIODeadline?
    }

    private let state = Mutex(State())

    package init() {}

    /// - Parameters:
    ///   - key: the document's key.
    ///   - writes: how many met.
    ///   - document: any version of it, for the `_id` to show; without one the key is shown.
    package func note(
        _ namespace: Namespace, key: ByteBuffer, writes: Int, document: Document?, now: NIODeadline = .now()
    ) {
        let fingerprint = Self.fingerprint(namespace, key)
        state.withLock { state in
            state.decay(now)
            state.sketch.note(fingerprint, weight: writes) {
                Label(namespace: namespace, id: Self.shortened(key, document))
            }
        }
    }

    package struct Shown: Sendable, Equatable {
        package let namespace: Namespace
        /// Relaxed extended JSON, cut.
        package let id: String
        package let writes: Int
    }

    /// The hottest, hottest first.
    package func top(now: NIODeadline = .now()) -> [Shown] {
        state.withLock { state in
            state.decay(now)
            return state.sketch.top(Self.shownMax).map {
                Shown(namespace: $0.label.namespace, id: $0.label.id, writes: $0.count)
            }
        }
    }

    private static func fingerprint(_ namespace: Namespace, _ key: ByteBuffer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(namespace)
        key.withUnsafeReadableBytes { hasher.combine(bytes: $0) }
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }

    static let shownLength = 40

    private static func shortened(_ key: ByteBuffer, _ document: Document?) -> String {
        let id = document?.withRaw { $0["_id"]?.extendedJSON(.relaxed) } ?? hexadecimal(key)
        return id.count <= shownLength ? id : id.prefix(shownLength) + "…"
    }

    private static func hexadecimal(_ key: ByteBuffer) -> String {
        "key:" + key.withUnsafeReadableBytes { hexEncoded(UnsafeRawBufferPointer(rebasing: $0.prefix(shownLength))) }
    }
}

extension HotDocuments.State {
    /// Once for each period that has passed; after a long pause all counts are nothing anyway.
    fileprivate mutating func decay(_ now: NIODeadline) {
        guard let due = nextDecay else {
            nextDecay = now + HotDocuments.period
            return
        }
        guard now >= due else { return }
        let periods = min(63, (now - due).nanoseconds / HotDocuments.period.nanoseconds + 1)
        for _ in 0..<periods { sketch.decay() }
        nextDecay = now + HotDocuments.period
    }
}
