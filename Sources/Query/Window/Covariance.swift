internal import BSON

/// How two series of numbers vary together, in a window that moves on. Pairs with an infinite or no number are counted
/// apart, so that they can leave the window again.
///
/// Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for computing the sample variance (1983).
struct Covariance {
    private var count: Int64 = 0
    private var sumX = Number.double(0)
    private var sumY = Number.double(0)
    private var products = Number.double(0)
    private var positives = 0
    private var negatives = 0
    private var indefinites = 0
    private var hasDecimals = false

    mutating func add(_ x: Number, _ y: Number) {
        guard x.isFinite, y.isFinite else { return note(x, y, 1) }
        let distance = x.difference(mean(sumX))
        (sumX, sumY) = (sumX.sum(x), sumY.sum(y))
        count += 1
        products = products.sum(distance.product(y.difference(mean(sumY))))
    }

    /// Undoes ``add(_:_:)`` for a pair that is in.
    mutating func remove(_ x: Number, _ y: Number) {
        guard x.isFinite, y.isFinite else { return note(x, y, -1) }
        let distance = y.difference(mean(sumY))
        (sumX, sumY) = (sumX.difference(x), sumY.difference(y))
        count -= 1
        guard count > 0 else {
            (sumX, sumY, products) = (.double(0), .double(0), .double(0))
            return
        }
        products = products.difference(x.difference(mean(sumX)).product(distance))
    }

    private func mean(_ sum: Number) -> Number { count > 0 ? sum.quotient(.int64(count)) : .double(0) }

    private mutating func note(_ x: Number, _ y: Number, _ change: Int) {
        for number in [x, y] where !number.isFinite {
            if number.isDecimal { hasDecimals = true }
            if number.isNaN {
                indefinites += change
            } else if number.asDouble > 0 {
                positives += change
            } else {
                negatives += change
            }
        }
    }

    /// Nil where there are too few pairs.
    func result(isSample: Bool) -> Number? {
        guard count > (isSample ? 1 : 0) else { return nil }
        guard count > 1 else { return .double(0) }
        if let unbounded {
            return hasDecimals ? .decimal(Decimal128(nearest: unbounded)) : .double(unbounded)
        }
        // By a double, as in MongoDB: it decides the exponent of a decimal.
        return products.quotient(.double(Double(isSample ? count - 1 : count)))
    }

    private var unbounded: Double? {
        if indefinites > 0 || positives > 0 && negatives > 0 { return .nan }
        if positives > 0 { return .infinity }
        return negatives > 0 ? -.infinity : nil
    }
}
