internal import NIOConcurrencyHelpers

/// What a message holds of the memory for messages in flight.
package struct MemoryShare: Sendable {
    package let id: InFlightMemory.ID
    fileprivate(set) var message = 0
    fileprivate(set) var answer = 0

    package init(id: InFlightMemory.ID) { self.id = id }
}

/// ``InFlightMemory`` for the connections of all event loops.
///
/// There are two halves. One is for messages as they come, the other for what is made of them: their uncompressed form
/// and replies. A message never waits for the first while it has something of the second, so they cannot wait for each
/// other; and clients that send large messages, or parts of them, do not keep small commands from running.
package final class MemoryGate: Sendable {
    package enum Half: Sendable { case messages, answers }

    package struct Figures: Sendable {
        package let bytes, bytesMax, waiting, expectedReply: Int
        package let waits: Int64
    }

    private struct State {
        var messages: InFlightMemory
        var answers: InFlightMemory
        var calls: [InFlightMemory.ID: @Sendable () -> Void] = [:]

        subscript(half: Half) -> InFlightMemory {
            _read { if half == .messages { yield messages } else { yield answers } }
            _modify { if half == .messages { yield &messages } else { yield &answers } }
        }

        mutating func calls(of granted: [InFlightMemory.ID]) -> [@Sendable () -> Void] {
            granted.isEmpty ? [] : granted.compactMap { calls.removeValue(forKey: $0) }
        }
    }

    private let state: NIOLockedValueBox<State>

    package init(bytesMax: Int) {
        let half = InFlightMemory(bytesMax: bytesMax / 2)
        state = NIOLockedValueBox(State(messages: half, answers: half))
    }

    package var figures: Figures {
        state.withLockedValue { state in
            let (messages, answers) = (state.messages, state.answers)
            return Figures(
                bytes: messages.bytes + answers.bytes, bytesMax: messages.bytesMax + answers.bytesMax,
                waiting: messages.waiting + answers.waiting, expectedReply: answers.expectedReply,
                waits: messages.waits + answers.waits)
        }
    }

    /// Room for so many bytes of a message in all.
    ///
    /// - Returns: nil when it is granted, else how many bytes there is no room for.
    package func grow(_ share: inout MemoryShare, toHold total: Int) -> Int? {
        let missing = total - share.message
        guard missing > 0, !take(share.id, missing, of: .messages) else {
            share.message = max(share.message, total)
            return nil
        }
        return missing
    }

    /// Room for a message to become `bytes` more, and for a reply if there is to be one.
    ///
    /// - Returns: nil when it is granted, else how many bytes there is no room for.
    package func makeRoom(for bytes: Int, andReply: Bool, _ share: inout MemoryShare) -> Int? {
        let id = share.id
        let (wanted, isGranted) = state.withLockedValue { state in
            let wanted = bytes + (andReply ? state.answers.expectedReply : 0)
            return (wanted, state.answers.take(id, wanted))
        }
        guard isGranted else { return wanted }
        share.answer += wanted
        return nil
    }

    private func take(_ id: InFlightMemory.ID, _ bytes: Int, of half: Half) -> Bool {
        state.withLockedValue { $0[half].take(id, bytes) }
    }

    /// Waits for what was not granted.
    ///
    /// - Parameter onGrant: called on any thread, unless ``withdraw(_:missing:of:)`` comes before. Then
    ///   ``granted(_:missing:of:)`` is to be called.
    package func wait(
        _ share: MemoryShare, missing: Int, of half: Half, onGrant: @escaping @Sendable () -> Void
    ) {
        let id = share.id
        let isGranted = state.withLockedValue { state in
            if state[half].take(id, missing) { return true }
            state[half].enqueue(id, missing)
            state.calls[id] = onGrant
            return false
        }
        if isGranted { onGrant() }
    }

    /// Who has waited has heard of its grant.
    package func granted(_ share: inout MemoryShare, missing: Int, of half: Half) {
        if half == .messages { share.message += missing } else { share.answer += missing }
    }

    /// The message does not wait any more; it keeps what it has.
    package func withdraw(_ share: MemoryShare, missing: Int, of half: Half) {
        let calls = state.withLockedValue { state in
            state.calls[share.id] = nil
            return state.calls(of: state[half].withdraw(share.id, missing))
        }
        for call in calls { call() }
    }

    /// What cannot wait: it is there already, or makes room for others.
    package func add(_ count: Int, to share: inout MemoryShare) {
        guard count > 0 else { return }
        state.withLockedValue { $0.answers.add(count) }
        share.answer += count
    }

    /// A reply of `bytes` is there, beside `others`. It may be larger than was thought.
    package func replied(_ bytes: Int, beside others: Int, _ share: inout MemoryShare) {
        add(others + bytes - share.answer, to: &share)
    }

    /// The message is over.
    ///
    /// - Parameter reply: the size of the reply; nil when there was none.
    package func end(_ share: MemoryShare, reply: Int?) {
        guard share.message > 0 || share.answer > 0 else { return }
        let calls = state.withLockedValue { state in
            if let reply { state.answers.replied(reply) }
            var granted = share.message > 0 ? state.messages.giveBack(share.id, share.message) : []
            if share.answer > 0 { granted += state.answers.giveBack(share.id, share.answer) }
            return state.calls(of: granted)
        }
        for call in calls { call() }
    }
}
