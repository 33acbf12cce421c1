// Feeds arbitrary bytes to everything that reads BSON or text of extended JSON. A trap, a read out of bounds (address
// sanitizer) or a broken promise below is a finding. Compiled together with the sources of `BSON`: see `run.sh`.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafeRawPointer, _ count: Int) -> Int32 {
    // The first byte chooses, the rest is the input.
    guard count > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    if start.load(as: UInt8.self) & 1 == 0 { fuzzBSON(bytes) } else { fuzzText(bytes) }
    return 0
}

private func fuzzBSON(_ bytes: UnsafeRawBufferPointer) {
    let isValid = (try? RawDocument.validate(bytes)) != nil
    guard let document = RawDocument(bytes) else { return precondition(!isValid) }
    precondition(!isValid || isSound(document), "validation let a malformed element pass")
    precondition(document.compare(to: document) == 0)
    var encoder = KeyEncoder()
    encoder.append(RawValue(type: .document, bytes: document.bytes))
    let text = document.extendedJSON(.canonical)
    _ = document.extendedJSON(.relaxed)
    if isValid { check(text) }
}

/// Text of a valid document need not parse (a document may look like a malformed type wrapper); if it does, then to
/// a valid document.
private func check(_ text: String) {
    guard let document = try? Document(extendedJSON: text) else { return }
    precondition(document.withRaw { (try? RawDocument.validate($0.bytes)) != nil })
}

private func isSound(_ document: RawDocument) -> Bool {
    var iterator = document.makeIterator()
    while let element = iterator.next() {
        if let container = element.value.container, !isSound(container) { return false }
        if let scope = element.value.codeWithScope?.scope, !isSound(scope) { return false }
    }
    return !iterator.isMalformed
}

private func fuzzText(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    check(text)
    if let decimal = Decimal128(rounding: text) {
        precondition(decimal.isNaN || Decimal128(decimal.description) != nil)
    }
    if let document = try? Document(extendedJSON: text) {
        let printed = document.extendedJSON()
        precondition((try? Document(extendedJSON: printed).extendedJSON()) == printed)
    }
}
