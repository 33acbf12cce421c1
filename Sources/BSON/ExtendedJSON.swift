// Extended JSON, version 2: BSON as text for people, tests and tools. No request depends on its speed.
//
// Written here rather than taken from libbson 1.23: that one prints doubles with 17 to 20 digits, reads `{$regex: "a"}`
// as a regular expression where a query operator is meant, and limits nesting below the 200 levels that documents may
// have.
//
// Source: specifications/source/extended-json.

/// How values that JSON has no types for are written.
package enum ExtendedJSONMode: Sendable {
    /// Every type survives: `{"$numberInt":"1"}`.
    case canonical
    /// Numbers and dates as people write them: `1`. The width of integers is lost.
    case relaxed
}

package struct ExtendedJSONError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension Document {
    /// Parses canonical or relaxed extended JSON, or a mix. The text must be one object.
    package init(extendedJSON text: String) throws(ExtendedJSONError) {
        var parser = JSONParser(text)
        guard case .object(let members) = try parser.document() else {
            throw ExtendedJSONError("the text is not a JSON object")
        }
        var builder = DocumentBuilder(reserving: text.utf8.count)
        try builder.append(members: members)
        self = builder.finish()
        do throws(BSONValidationError) {
            // Too deep, or larger than BSON can count: the text cannot say anything else that is invalid.
            try withRaw { raw throws(BSONValidationError) in try RawDocument.validate(raw.bytes) }
        } catch {
            throw ExtendedJSONError(error.description)
        }
    }

    package func extendedJSON(_ mode: ExtendedJSONMode = .canonical) -> String {
        withRaw { $0.extendedJSON(mode) }
    }
}

extension RawDocument {
    package func extendedJSON(_ mode: ExtendedJSONMode = .canonical) -> String {
        var printer = ExtendedJSONPrinter(mode)
        printer.write(document: self)
        return printer.text
    }
}

extension RawValue {
    package func extendedJSON(_ mode: ExtendedJSONMode = .canonical) -> String {
        var printer = ExtendedJSONPrinter(mode)
        printer.write(self)
        return printer.text
    }
}

extension Value {
    package func extendedJSON(_ mode: ExtendedJSONMode = .canonical) -> String {
        withRaw { $0.extendedJSON(mode) }
    }
}
