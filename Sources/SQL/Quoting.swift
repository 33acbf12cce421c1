/// `name` as an SQL identifier, for the DDL that takes no parameters.
///
/// Doubling the quotation mark is the whole rule of the SQL standard; NUL cannot occur in an identifier and ends the
/// text early in libpq, so it is dropped here. PostgreSQL cuts identifiers at 63 bytes: the caller keeps them shorter.
package func quotedIdentifier(_ name: String) -> String {
    "\"" + doubling(["\""], in: name) + "\""
}

/// `text` as an SQL string literal, for the few utility statements (`NOTIFY`, `COMMENT`, `ALTER … SET`) that take
/// neither parameters nor expressions.
///
/// The escape form is chosen when there is a backslash, so that the literal means the same whatever the session's
/// `standard_conforming_strings`; its leading blank keeps the `E` apart from a word before it.
package func quotedLiteral(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "\\")) else { return "'" + doubling(["'"], in: text) + "'" }
    return " E'" + doubling(["'", "\\"], in: text) + "'"
}

/// Works on scalars, not characters: a combining mark after the quotation mark would hide it in one grapheme cluster.
private func doubling(_ special: [Unicode.Scalar], in text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars where scalar.value != 0 {
        if special.contains(scalar) { result.append(scalar) }
        result.append(scalar)
    }
    return String(result)
}
