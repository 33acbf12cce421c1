package import BSON
package import CommandModel

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

// A `$group` that says how many documents have each value of a field.
extension Group {
    /// Makes the documents of such a group, where somebody else has counted.
    //
    // Safety: used by one thread at a time, by whoever was given it.
    package final class FieldCounting: @unchecked Sendable {
        private let group: Group
        private let run: Evaluator
        /// Where the value stands.
        package let path: String
        /// How values are told apart.
        package let collator: Collator?

        fileprivate init(_ group: Group, _ path: String) {
            self.group = group
            self.path = path
            run = Evaluator(group.settings)
            collator = run.order.collator
        }

        /// - Parameter document: one of those that have the value.
        package func result(_ document: RawDocument, count: Int64) throws(CommandError) -> Document {
            run.begin(document)
            let id = try group.id.evaluate(run) ?? .nothing(.null)
            return Document { builder in
                builder.append("_id", id)
                let count = Int32(exactly: count).map(Value.int32) ?? .int64(count)
                for field in group.fields.nodes { builder.append(field.key, count) }
            }
        }
    }

    /// For `{_id: "$path", name: {$sum: 1}}` and the like; nil where more is asked.
    package var fieldCounting: FieldCounting? {
        withExtendedLifetime(self) {
            guard elements == nil, case .path(let path) = id, path.slot == Evaluator.rootSlot, !path.steps.isEmpty,
                fields.nodes.allSatisfy({ $0.accumulator.countsDocuments })
            else { return nil }
            return FieldCounting(self, Array(path.steps.nodes).text)
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
