/// An SQL text and the values of its `$1` … `$n`. A value: it does nothing by itself.
///
/// The text is written by us, from literals and from ``quotedIdentifier(_:)`` of names we made; whatever a client
/// sent is a ``Parameter``.
package struct Statement: Sendable {
    /// Whether a connection keeps the plan.
    package enum Preparation: Sendable {
        /// Prepared under a name at the first use on a connection. For texts that return: the number of different
        /// texts must be bounded by the schema, never by the data.
        case cached
        /// Parsed for this one execution: DDL, and texts that hold a name made for the moment.
        case once
    }

    package var text: String
    package var parameters: [Parameter]
    package var preparation: Preparation

    package init(_ text: String, _ parameters: [Parameter] = [], preparation: Preparation = .cached) {
        self.text = text
        self.parameters = parameters
        self.preparation = preparation
    }

    /// A statement that is parsed for this one execution.
    package static func once(_ text: String, _ parameters: [Parameter] = []) -> Statement {
        Statement(text, parameters, preparation: .once)
    }
}
