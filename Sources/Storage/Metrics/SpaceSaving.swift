/// Finds the most frequent keys of an endless stream in bounded memory: the Space-Saving sketch of Metwally, Agrawal
/// and El Abbadi (2005). Pure: no clock, no lock.
///
/// The obvious design, a count for each key, grows with the keys, which clients choose. Here at most `capacity` keys
/// are held. A key that is not held takes the place of the one with the least count, and *inherits that count*: it may
/// have been seen that often before it was thrown out. So
///
/// - a held key's count is at least its true one and at most `error` too high;
/// - no key that is not held was seen more often than the least count held;
/// - hence every key with more than 1/capacity of the whole weight is held.
///
/// Counts never go down by themselves, so that a key that was hot last week would shadow today's: ``decay()`` halves
/// everything, and drops what comes to nothing. Called once per period, it makes the period the half-life.
///
/// Keys are found by a fingerprint of 64 bits in a linear scan: for some dozens of keys it is faster than a dictionary,
/// and needs no memory beside the array. Two keys of one fingerprint would share a count; it comes from a seeded hash,
/// so that no client can aim at it.
struct SpaceSaving<Label: Sendable>: Sendable {
    struct Entry: Sendable {
        let fingerprint: UInt64
        var label: Label
        var count: Int
        /// At most this much of the count belongs to others.
        var error: Int
    }

    let capacity: Int
    private(set) var entries: [Entry] = []

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        entries.reserveCapacity(self.capacity)
    }

    /// Adds `weight` to a key; `label` is asked for when the key was not held.
    mutating func note(_ fingerprint: UInt64, weight: Int, label: () -> Label) {
        guard weight > 0 else { return }
        if let index = entries.firstIndex(where: { $0.fingerprint == fingerprint }) {
            entries[index].count = Self.sum(entries[index].count, weight)
        } else if entries.count < capacity {
            entries.append(Entry(fingerprint: fingerprint, label: label(), count: weight, error: 0))
        } else if let least = entries.indices.min(by: { entries[$0].count < entries[$1].count }) {
            let inherited = entries[least].count
            entries[least] = Entry(
                fingerprint: fingerprint, label: label(), count: Self.sum(inherited, weight), error: inherited)
        }
    }

    /// Halves all counts.
    mutating func decay() {
        for index in entries.indices {
            entries[index].count /= 2
            entries[index].error /= 2
        }
        entries.removeAll { $0.count == 0 }
    }

    /// The largest counts, largest first.
    func top(_ count: Int) -> [Entry] {
        Array(entries.sorted { ($0.count, $0.fingerprint) > ($1.count, $1.fingerprint) }.prefix(count))
    }

    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
