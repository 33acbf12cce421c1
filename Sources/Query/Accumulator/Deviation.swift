/// Count, mean and squared distances from it, by which the standard deviation is known at any time.
///
/// Source: B. P. Welford, Note on a method for calculating corrected sums of squares and products (1962); the merge is
/// T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm (1979).
struct Deviation {
    private var count = 0.0
    private var mean = 0.0
    private var squares = 0.0

    mutating func add(_ value: Double) {
        count += 1
        let distance = value - mean
        mean += distance / count
        squares += distance * (value - mean)
    }

    mutating func merge(_ other: Deviation) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        let distance = other.mean - mean
        let total = count + other.count
        mean += distance * other.count / total
        squares += other.squares + distance * distance * count * other.count / total
        count = total
    }

    /// Of all there is: nil of nothing.
    var population: Double? { count > 0 ? (squares / count).squareRoot() : nil }

    /// Of a sample: nil of less than two.
    var sample: Double? { count > 1 ? (squares / (count - 1)).squareRoot() : nil }
}
