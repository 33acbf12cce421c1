// Fields whose names are known at run time only.
extension DocumentBuilder {
    package mutating func append(name: String, _ value: Value) {
        withKey(name) { builder, key in builder.append(key, value) }
    }

    package mutating func beginDocument(name: String) {
        withKey(name) { builder, key in builder.beginDocument(key) }
    }

    package mutating func beginArray(name: String) {
        withKey(name) { builder, key in builder.beginArray(key) }
    }

    private mutating func withKey(_ name: String, _ body: (inout DocumentBuilder, RawKey) -> Void) {
        // A NUL would end the name early and shift everything behind it.
        let bytes = name.utf8.filter { $0 != 0 } + [0]
        bytes.withUnsafeBytes { raw in
            guard let start = raw.baseAddress else { return }
            body(&self, RawKey(start: start, count: raw.count - 1))
        }
    }
}
