import Access
import NIOCore
import Testing

@testable import Commands

/// Expectations take no mutating calls.
private final class Census {
    private(set) var state: ConnectionCensus

    init(totalMax: Int, addressMax: Int) { state = ConnectionCensus(totalMax: totalMax, addressMax: addressMax) }

    func admit(_ address: NetworkAddress?) -> ConnectionCensus.Refusal? { state.admit(address) }
    func leave(_ address: NetworkAddress?) { state.leave(address) }
}

@Suite("connections are counted, in all and by address")
struct ConnectionCensusTests {
    private func address(_ text: String) throws -> NetworkAddress { try #require(NetworkAddress(text)) }

    @Test("one more than there may be is refused until one leaves")
    func total() throws {
        let census = Census(totalMax: 2, addressMax: 2)
        #expect(census.admit(try address("192.0.2.1")) == nil)
        #expect(census.admit(nil) == nil)
        #expect(census.admit(try address("192.0.2.2")) == .total)
        #expect(census.state.open == 2 && census.state.accepted == 2 && census.state.rejected == 1)
        census.leave(nil)
        #expect(census.admit(try address("192.0.2.2")) == nil)
        #expect(census.state.rejected(.total) == 1 && census.state.rejected(.address) == 0)
    }

    @Test("one address does not take the places of others, and a network of IPv6 is one address")
    func byAddress() throws {
        let census = Census(totalMax: 10, addressMax: 2)
        for text in ["2001:db8::1", "2001:db8::2"] { #expect(census.admit(try address(text)) == nil) }
        #expect(census.admit(try address("2001:db8::3")) == .address)
        #expect(census.admit(try address("2001:db8:0:1::1")) == nil)
        census.leave(try address("2001:db8::2"))
        #expect(census.admit(try address("2001:db8::3")) == nil)
    }

    @Test("what is noted of addresses ends with their connections")
    func bounded() throws {
        let census = Census(totalMax: 8, addressMax: 8)
        for number in 0..<1_000 {
            let each = try address("198.51.100.\(number % 250)")
            #expect(census.admit(each) == nil)
            #expect(census.state.networks <= census.state.open)
            census.leave(each)
        }
        #expect(census.state.networks == 0 && census.state.open == 0)
    }

    @Test("a client without an address counts for the total only")
    func withoutAddress() {
        let census = Census(totalMax: 3, addressMax: 1)
        for _ in 1...3 { #expect(census.admit(nil) == nil) }
        #expect(census.admit(nil) == .total)
    }

    @Test("a flood is told by some lines and a number")
    func logAllowance() {
        var allowance = LogAllowance()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let told = (0..<100).compactMap { _ in allowance.take(now: start) }
        #expect(told == [Int](repeating: 0, count: LogAllowance.burst))
        let next = (0..<2).map { _ in allowance.take(now: start + .seconds(1)) }
        #expect(next == [100 - LogAllowance.burst, nil])
        let later = (0..<100).compactMap { _ in allowance.take(now: start + .hours(1)) }
        #expect(later.count == LogAllowance.burst && later.first == 1)
    }
}
