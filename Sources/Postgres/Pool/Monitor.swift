#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A mutex with several conditions, so that one chosen thread can be woken. The standard library's `Mutex` has none.
//
// Safety: the pointers never change, what they point to is made for use by several threads, and it is freed only
// when no thread holds the monitor any more.
final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let conditions: UnsafeMutableBufferPointer<pthread_cond_t>

    init(conditionCount: Int) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        conditions = .allocate(capacity: conditionCount)
        conditions.initialize(repeating: pthread_cond_t())
        for index in conditions.indices { Self.initializeCondition(at: address(of: index)) }
    }

    deinit {
        for index in conditions.indices { pthread_cond_destroy(address(of: index)) }
        conditions.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inline(__always)
    func withLock<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Lets go of the lock while asleep. May return without a signal: look at the state again.
    func wait(_ condition: Int) {
        pthread_cond_wait(address(of: condition), mutex)
    }

    /// False when the time is up.
    func wait(_ condition: Int, milliseconds: Int) -> Bool {
        var deadline = timespec()
        clock_gettime(Self.clock, &deadline)
        let nanoseconds = deadline.tv_nsec + milliseconds % 1_000 * 1_000_000
        deadline.tv_sec += milliseconds / 1_000 + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        return pthread_cond_timedwait(address(of: condition), mutex, &deadline) != ETIMEDOUT
    }

    /// Cheapest after the lock was released: the woken thread then finds it free.
    func signal(_ condition: Int) {
        pthread_cond_signal(address(of: condition))
    }

    private func address(of condition: Int) -> UnsafeMutablePointer<pthread_cond_t> {
        precondition(conditions.indices.contains(condition))
        return conditions.baseAddress.unsafelyUnwrapped + condition
    }

    #if canImport(Glibc)
        /// Not the wall clock, which may be set back.
        private static let clock = CLOCK_MONOTONIC

        private static func initializeCondition(at address: UnsafeMutablePointer<pthread_cond_t>) {
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(address, &attributes)
            pthread_condattr_destroy(&attributes)
        }
    #else
        private static let clock = CLOCK_REALTIME

        private static func initializeCondition(at address: UnsafeMutablePointer<pthread_cond_t>) {
            pthread_cond_init(address, nil)
        }
    #endif
}
