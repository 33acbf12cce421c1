extension KeyEncoder {
    /// The first bytes between which all keys of a type's bracket lie: `first` belongs to it, `end` does not.
    ///
    /// Comparison operators of queries stay inside one bracket: `{$gt: 5}` is larger numbers, never strings.
    package static func bracket(of type: BSONType) -> (first: UInt8, end: UInt8) {
        switch type {
        case .minKey: (Tag.minKey, Tag.undefined)
        case .undefined: (Tag.undefined, Tag.null)
        case .null: (Tag.null, 0x20)
        case .int32, .int64, .double, .decimal128: (0x20, Tag.string)
        case .string, .symbol: (Tag.string, Tag.document)
        case .document: (Tag.document, Tag.array)
        case .array: (Tag.array, Tag.binary)
        case .binary: (Tag.binary, Tag.objectID)
        case .objectID: (Tag.objectID, Tag.false)
        case .bool: (Tag.false, Tag.date)
        case .date: (Tag.date, Tag.timestamp)
        case .timestamp: (Tag.timestamp, Tag.regex)
        case .regex: (Tag.regex, Tag.dbPointer)
        case .dbPointer: (Tag.dbPointer, Tag.javascript)
        case .javascript: (Tag.javascript, Tag.javascriptWithScope)
        case .javascriptWithScope: (Tag.javascriptWithScope, Tag.maxKey)
        case .maxKey: (Tag.maxKey, 0xFF)
        }
    }
}
