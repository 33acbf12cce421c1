/// Why the private PostgreSQL cannot run, in the words of whoever has to put it right.
package struct EmbeddedServerError: Error, Sendable, Equatable {
    /// What could not be done.
    package var what: String
    package var why: String
    /// What to do about it.
    package var remedy: String

    package init(_ what: String, because why: String, remedy: String) {
        self.what = what
        self.why = why
        self.remedy = remedy
    }
}

extension EmbeddedServerError: CustomStringConvertible {
    package var description: String { "\(what): \(why). \(remedy)" }
}
