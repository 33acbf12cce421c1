package import BSON

// A `$group` that says no more than how many documents there are.
extension Group {
    /// What stands in for the documents, where the group only counts them.
    package struct Counting: Sendable {
        let id: Value
        let name: String

        /// What the group gives for so many documents; nothing for none.
        package func documents(count: Int64) -> [Document] {
            guard count > 0 else { return [] }
            return [
                Document { builder in
                    builder.append("_id", id)
                    var name = name
                    name.withUTF8 { bytes in
                        guard let start = bytes.baseAddress else { return }
                        let key = RawKey(start: start, count: bytes.count)
                        builder.append(key, Int32(exactly: count).map(Value.int32) ?? .int64(count))
                    }
                }
            ]
        }
    }

    /// For `{_id: constant, name: {$sum: 1}}` and the like; nil where more is asked.
    package var counting: Counting? {
        withExtendedLifetime(self) {
            guard elements == nil, case .constant(let id) = id, fields.count == 1, fields[0].accumulator.countsDocuments
            else {
                return nil
            }
            return Counting(id: Value(copying: id), name: fields[0].key.string)
        }
    }
}

extension Accumulator {
    fileprivate var countsDocuments: Bool {
        switch (operation, input) {
        case (.count, _): true
        case (.sum, .constant(let value)): value.int32 == 1
        default: false
        }
    }
}
