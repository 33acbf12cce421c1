/// What is written behind a statement so that `pg_stat_activity` and `pg_stat_statements` tell where it comes from, in
/// the form that sqlcommenter has made known: `/*collection='orders',db='app',op='find'*/`.
///
/// Every byte of a value that is not a letter, a digit or one of `-._~` is written as `%` and two digits, so whatever
/// the value is, it cannot end the string or the comment. Texts of prepared statements are kept, so what differs from
/// one command to the next is for ``StatementComment/everything`` of statements that are not.
package struct StatementComment: Sendable {
    /// Bytes of a value before it is encoded; of what is longer the beginning is written.
    package static let valueBytesMax = 256

    /// Of which there are as many as collections and kinds of commands.
    package let bounded: String
    /// With what this command alone has; the same as ``bounded`` when it has nothing.
    package let everything: String

    package init(
        database: String, collection: String?, operation: String, comment: String? = nil, traceParent: String? = nil
    ) {
        bounded = Self.text([("collection", collection), ("db", database), ("op", operation)])
        guard comment != nil || traceParent != nil else {
            everything = bounded
            return
        }
        // In the order of the keys, as the form demands.
        everything = Self.text([
            ("collection", collection), ("comment", comment), ("db", database), ("op", operation),
            ("traceparent", traceParent),
        ])
    }

    /// Whether there is something in it that belongs to one command alone.
    package var isClients: Bool { everything != bounded }

    private static func text(_ pairs: [(key: String, value: String?)]) -> String {
        var text = " /*"
        var separator = ""
        for case (let key, let value?) in pairs {
            text += separator + key + "='"
            encode(value, into: &text)
            text += "'"
            separator = ","
        }
        return text + "*/"
    }

    private static func encode(_ value: String, into text: inout String) {
        for byte in value.utf8.prefix(valueBytesMax) {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += byte < 16 ? "%0" : "%"
                text += String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

extension Statement {
    /// The same with a comment. One that is prepared gets the part that does not grow the number of texts.
    package func commented(_ comment: StatementComment?) -> Statement {
        guard let comment else { return self }
        var statement = self
        statement.text += preparation == .cached ? comment.bounded : comment.everything
        return statement
    }
}
