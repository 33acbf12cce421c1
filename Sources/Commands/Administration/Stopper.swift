internal import NIOConcurrencyHelpers

/// How the process ends in good order, for who is asked to end it; nil where nobody has said, as in tests.
package final class Stopper: Sendable {
    private let box = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)

    package init() {}

    package var value: (@Sendable () -> Void)? {
        get { box.withLockedValue { $0 } }
        set { box.withLockedValue { $0 = newValue } }
    }
}
