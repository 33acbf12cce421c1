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
}
