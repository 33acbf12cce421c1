internal import BSON

// Fields of replies whose names or lengths are known at run time only.

extension DocumentBuilder {
    mutating func append(_ key: StaticString, strings: [String]) {
        beginArray(key)
        for (index, string) in strings.enumerated() { append(index: index, string: string) }
        end()
    }

    /// An int32 where it fits, as MongoDB writes ids of connections.
    mutating func append(_ key: StaticString, narrowest value: Int64) {
        if let narrow = Int32(exactly: value) { append(key, int32: narrow) } else { append(key, int64: value) }
    }

    mutating func append(name: String, _ value: Value) {
        withKey(name) { builder, key in builder.append(key, value) }
    }

    mutating func beginDocument(name: String) {
        withKey(name) { builder, key in builder.beginDocument(key) }
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
