internal import BSON
internal import Storage

// The options of a collection, as the catalog keeps them and `listCollections` shows them.

extension CappedLimits {
    func write(into builder: inout DocumentBuilder) {
        builder.append("capped", bool: true)
        builder.append("size", Value.smallest(bytes))
        if documents > 0 { builder.append("max", Value.smallest(documents)) }
    }

    /// The options of a capped collection with these limits.
    func replacing(in options: Document) -> Document {
        let resized = options.replacing("size", with: .smallest(bytes))
        return resized.replacing("max", with: documents > 0 ? .smallest(documents) : nil)
    }
}

extension DocumentBuilder {
    mutating func appendPreImages() {
        beginDocument("changeStreamPreAndPostImages")
        append("enabled", bool: true)
        end()
    }

    mutating func appendClusteredIndex(name: String) {
        beginDocument("clusteredIndex")
        writeClusteredKey(name: name)
        end()
    }

    /// The fields of the index by which a collection is clustered.
    mutating func writeClusteredKey(name: String) {
        append("v", int32: 2)
        beginDocument("key")
        append("_id", int32: 1)
        end()
        append("name", string: name)
        append("unique", bool: true)
    }
}

extension Document {
    /// With another value for a field, where it stood or at the end; nil takes the field away.
    func replacing(_ key: StaticString, with value: Value?) -> Document {
        withRaw { raw in
            Document { builder in
                var isDone = value == nil
                for field in raw {
                    if !(field.key == key) {
                        builder.append(field)
                    } else if let value, !isDone {
                        builder.append(key, value)
                        isDone = true
                    }
                }
                if let value, !isDone { builder.append(key, value) }
            }
        }
    }
}

extension Value {
    /// As an int32 if it is one.
    static func smallest(_ number: Int64) -> Value {
        Int32(exactly: number).map { .int32($0) } ?? .int64(number)
    }
}
