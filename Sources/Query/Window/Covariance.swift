internal import BSON

/// How two series of numbers vary together. Pairs with an infinite or no number are counted apart, so that they can
/// leave a window again.
///
/// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for computing the sample variance (1983).
struct Covariance {
    private var count = 0
    private var meanX = Number.double(0)
    private var meanY = Number.double(0)
    private var products = Number.double(0)
    /// The sum of what is not finite; nil of nothing.
    private var unbounded: Number?

    mutating func add(_ x: Number, _ y: Number) {
        guard x.isFinite, y.isFinite else {
            for number in [x, y] where !number.isFinite { unbounded = unbounded?.sum(number) ?? number }
            return
        }
        count += 1
        let divisor = Number.int64(Int64(count))
        let distance = x.difference(meanX)
        meanX = meanX.sum(distance.quotient(divisor))
        meanY = meanY.sum(y.difference(meanY).quotient(divisor))
        products = products.sum(distance.product(y.difference(meanY)))
    }

    /// Nil where there are too few pairs.
    func result(isSample: Bool) -> Number? {
        guard count > (isSample ? 1 : 0) else { return nil }
        guard count > 1 else { return .double(0) }
        if let unbounded { return unbounded }
        return products.quotient(.int64(Int64(isSample ? count - 1 : count)))
    }
}
