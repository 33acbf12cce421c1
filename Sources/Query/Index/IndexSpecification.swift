package import BSON
package import CommandModel

/// An index that a client asks for, checked and completed: one element of `createIndexes.indexes`.
///
/// Source: https://www.mongodb.com/docs/manual/reference/command/createIndexes/
package struct IndexSpecification: Sendable {
    package let name: String
    /// As the catalog keeps it and `listIndexes` shows it: `v`, `key`, `name`, and then the options in one fixed order.
    package let document: Document
    package let definition: IndexDefinition
    /// It describes the index on `_id`, which is there already.
    package let isIDIndex: Bool
    /// What tells it from other indexes.
    let signature: IndexSignature

    /// As many indexes as a collection may have, that on `_id` counted.
    package static let indexesMax = 64
    /// Bytes: the catalog looks indexes up by name.
    static let nameLengthMax = 2_000

    package init(_ specification: Document, for target: IndexTarget) throws(CommandError) {
        self = try specification.withRaw { raw throws(CommandError) in try IndexSpecification(raw, for: target) }
    }

    package init(_ specification: RawDocument, for target: IndexTarget) throws(CommandError) {
        var options = try IndexOptions(specification, ignoresUnknown: target.ignoresUnknownOptions)
        let pattern = try options.key.withRaw { raw throws(CommandError) in try IndexKeyPattern(raw) }
        isIDIndex = pattern.isID && !target.isTimeseries
        if isIDIndex {
            try options.checkID(pattern, target)
        } else {
            try options.check(pattern, target)
            try target.check(options, pattern)
            options.completeVersions(pattern)
        }
        name = isIDIndex ? "_id_" : options.name
        options.name = name
        let collator = options.collation.collator(default: target.collator)
        let key = try pattern.stored(&options)
        document = options.document(key: key, collator: collator)
        definition = try IndexDefinition(document)
        signature = IndexSignature(document)
    }
}

extension IndexTarget {
    var isTimeseries: Bool {
        if case .timeseries = kind { return true }
        return false
    }
}
