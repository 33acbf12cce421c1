import Access
import NIOCore
import Testing

@testable import Commands

@Suite("Failed logins")
struct FailedLoginTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func state(burst: Double = 3, addresses: Int = 4) -> FailedLoginState {
        var limits = FailedLoginState.Limits()
        limits.burstMax = burst
        limits.secondsPerFailure = 2
        limits.addressesMax = addresses
        return FailedLoginState(limits)
    }

    private func address(_ text: String) throws -> NetworkAddress { try #require(NetworkAddress(text)) }

    @Test("after some failures an address has to wait, and only it")
    func waiting() throws {
        var state = state()
        let (guesser, other) = (try address("192.0.2.1"), try address("192.0.2.2"))
        for _ in 0..<3 {
            #expect(state.mayTry(from: guesser, now: start))
            state.failed(from: guesser, now: start)
        }
        #expect(!state.mayTry(from: guesser, now: start))
        #expect(state.mayTry(from: other, now: start))
        #expect(!state.mayTry(from: guesser, now: start + .milliseconds(1_900)))
        #expect(state.mayTry(from: guesser, now: start + .seconds(2)))
    }

    @Test("who goes on while refused waits no longer for it, and no shorter")
    func persistence() throws {
        var state = state()
        let guesser = try address("192.0.2.1")
        for _ in 0..<100 { state.failed(from: guesser, now: start) }
        #expect(!state.mayTry(from: guesser, now: start))
        #expect(state.mayTry(from: guesser, now: start + .seconds(2)))
        state.failed(from: guesser, now: start + .seconds(2))
        #expect(!state.mayTry(from: guesser, now: start + .seconds(2)))
    }

    @Test("a network of version 6 is one address")
    func version6() throws {
        var state = state()
        for number in 1...3 { state.failed(from: try address("2001:db8::\(number)"), now: start) }
        #expect(try !state.mayTry(from: address("2001:db8::ffff"), now: start))
        #expect(try state.mayTry(from: address("2001:db8:0:1::1"), now: start))
    }

    @Test("the memory is bounded, and who has failed most is not forgotten")
    func bounded() throws {
        var state = state()
        let guesser = try address("192.0.2.1")
        for _ in 0..<3 { state.failed(from: guesser, now: start) }
        for number in 1...200 { state.failed(from: try address("198.51.100.\(number)"), now: start) }
        #expect(state.count == 4)
        #expect(!state.mayTry(from: guesser, now: start))
        state.failed(from: try address("203.0.113.1"), now: start + .seconds(60))
        #expect(state.count == 1)
    }

    @Test("a clock that goes backwards forgives nothing")
    func clock() throws {
        var state = state()
        let guesser = try address("192.0.2.1")
        for _ in 0..<3 { state.failed(from: guesser, now: start) }
        #expect(!state.mayTry(from: guesser, now: .uptimeNanoseconds(1)))
    }
}
