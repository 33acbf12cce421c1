/// The parameters of a statement while its text is written: what is bound stands as `$n` in the text.
package struct Binder: Sendable {
    package private(set) var parameters: [Parameter]
    /// Parameters that the statement has before these.
    private let earlier: Int

    /// - Parameter parameters: those that the text has already.
    package init(_ parameters: [Parameter] = []) {
        self.parameters = parameters
        earlier = 0
    }

    /// For a part of a statement.
    ///
    /// - Parameter first: the number of its first parameter.
    package init(first: Int) {
        parameters = []
        earlier = first - 1
    }

    /// - Returns: what stands for the value in the text.
    package mutating func callAsFunction(_ value: Parameter) -> String {
        parameters.append(value)
        return "$\(earlier + parameters.count)"
    }
}

/// What follows the tables of a SELECT; empty without conditions.
package func whereClause(_ conditions: [String]) -> String {
    conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
}
