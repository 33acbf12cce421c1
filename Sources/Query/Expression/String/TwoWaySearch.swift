/// Looks for long bytes within others, in time proportional to the sum of both lengths: texts and patterns come from
/// clients, who must not hold a thread with two strings of some megabytes.
///
/// The pattern is cut in two. The right part is compared first, from left to right; where it differs, the pattern moves
/// behind. Where the right part matches and the left one does not, the pattern moves by its period.
///
/// Source: Crochemore, Perrin: Two-way string-matching. Journal of the ACM 38 (1991).
struct TwoWaySearch {
    private let pattern: UnsafeRawBufferPointer
    /// Where the right part begins.
    private let cut: Int
    private let period: Int
    /// Whether the left part repeats with the period, so that what has matched need not be compared again.
    private let isPeriodic: Bool

    /// - Parameter pattern: not empty.
    init(_ pattern: UnsafeRawBufferPointer) {
        self.pattern = pattern
        let one = Self.maximalSuffix(pattern) { $0 < $1 }
        let other = Self.maximalSuffix(pattern) { $0 > $1 }
        let (start, suffixPeriod) = one.start > other.start ? one : other
        cut = start
        isPeriodic =
            suffixPeriod + start <= pattern.count
            && pattern[..<start].elementsEqual(pattern[suffixPeriod..<(suffixPeriod + start)])
        period = isPeriodic ? suffixPeriod : max(start, pattern.count - start) + 1
    }

    /// The suffix that comes last in an order, and its period.
    private static func maximalSuffix(
        _ pattern: UnsafeRawBufferPointer, _ isBefore: (UInt8, UInt8) -> Bool
    ) -> (start: Int, period: Int) {
        var (start, candidate, length, period) = (0, 1, 0, 1)
        while candidate + length < pattern.count {
            let (new, old) = (pattern[candidate + length], pattern[start + length])
            if isBefore(new, old) {
                candidate += length + 1
                length = 0
                period = candidate - start
            } else if new == old {
                length += 1
                if length == period {
                    candidate += period
                    length = 0
                }
            } else {
                start = candidate
                candidate += 1
                (length, period) = (0, 1)
            }
        }
        return (start, period)
    }

    func first(in text: UnsafeRawBufferPointer) -> Int? {
        // How much of the pattern is known to match at `position`.
        var (position, known) = (0, 0)
        while position + pattern.count <= text.count {
            var index = max(cut, known)
            while index < pattern.count, pattern[index] == text[position + index] { index += 1 }
            guard index == pattern.count else {
                position += index - cut + 1
                known = 0
                continue
            }
            index = cut
            while index > known, pattern[index - 1] == text[position + index - 1] { index -= 1 }
            if index <= known { return position }
            position += period
            known = isPeriodic ? pattern.count - period : 0
        }
        return nil
    }
}
