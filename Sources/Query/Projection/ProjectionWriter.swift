internal import BSON
internal import CommandModel

/// Writes one document's projection.
///
/// Fields come out in the order of the document. What the projection adds follows in the order in which it names it;
/// only in `$addFields` a computed value stands where the field stood.
struct ProjectionWriter {
    let row: RawDocument
    let mode: ProjectionProgram.Mode
    /// Where the query matched in an array.
    let position: Int?
    /// Nil when nothing is computed.
    let run: Evaluator?
    /// For `$meta`.
    let facts: RowFacts?

    /// - Parameters:
    ///   - document: nil when there is none, so that only what is computed comes out.
    ///   - showsID: what becomes of an `_id` that `fields` does not name, where it is not as any other field.
    func write(
        _ document: RawDocument?, by fields: ProjectionFields, showsID: Bool? = nil,
        into builder: inout DocumentBuilder
    ) throws(CommandError) {
        var written = WrittenFields(fields.list.count)
        for element in document ?? .none {
            if let showsID, element.key == "_id" {
                if showsID { builder.append(copying: element) }
            } else if let index = fields.index(of: element.key) {
                if try write(element, fields.list[index].action, into: &builder) { written.insert(index) }
            } else if mode != .inclusion {
                builder.append(copying: element)
            }
        }
        guard fields.adds || mode == .inclusion else { return }
        for index in 0..<fields.list.count where !written.contains(index) {
            try writeLate(fields.list[index], in: document, into: &builder)
        }
    }

    /// - Returns: whether that was all for this field; else it is written after the others.
    private func write(
        _ element: RawElement, _ action: ProjectionAction, into builder: inout DocumentBuilder
    ) throws(CommandError) -> Bool {
        switch action {
        case .include: builder.append(copying: element)
        case .exclude: return true
        case .slice(let skip, let count): writeSlice(element, skip, count, into: &builder)
        case .positional: try writePositional(element, into: &builder)
        case .elementMatch(let filter):
            guard mode != .inclusion else { return false }
            try Self.writeFirstMatch(element, filter, into: &builder)
        case .compute(let expression):
            guard mode != .inclusion else { return false }
            try writeComputed(element.key, expression, into: &builder)
        case .metadata: return false
        case .fields(let fields): return try write(element, by: fields, into: &builder)
        }
        return true
    }

    private func write(
        _ element: RawElement, by fields: ProjectionFields, into builder: inout DocumentBuilder
    ) throws(CommandError) -> Bool {
        if let document = element.value.document {
            builder.beginDocument(element.key)
            try write(document, by: fields, into: &builder)
            builder.end()
        } else if let array = element.value.array {
            builder.beginArray(element.key)
            try writeElements(array, by: fields, into: &builder)
            builder.end()
        } else if mode == .addition, fields.adds {
            builder.beginDocument(element.key)
            try write(nil, by: fields, into: &builder)
            builder.end()
        } else if mode == .inclusion {
            return !fields.adds
        } else {
            builder.append(copying: element)
        }
        return true
    }

    /// A path goes through arrays, also nested ones, to the documents in them. Of what is no document an inclusion
    /// keeps nothing; what computes a field makes one.
    private func writeElements(
        _ array: RawDocument, by fields: ProjectionFields, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        var index = 0
        for element in array {
            if let inner = element.value.array {
                builder.beginArray(index: index)
                try writeElements(inner, by: fields, into: &builder)
                builder.end()
            } else if element.value.type == .document || mode == .addition || mode == .inclusion && fields.adds {
                builder.beginDocument(index: index)
                try write(element.value.document, by: fields, into: &builder)
                builder.end()
            } else if mode == .inclusion {
                continue
            } else {
                builder.append(index: index, element.value)
            }
            index += 1
        }
    }

    /// What is added after the fields of the document.
    private func writeLate(
        _ field: ProjectionField, in document: RawDocument?, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        switch field.action {
        case .compute(let expression): try writeComputed(field.key, expression, into: &builder)
        case .metadata(let metadata):
            if let facts { metadata.write(row, facts, field.key, into: &builder) }
        case .fields(let fields) where fields.adds:
            builder.beginDocument(field.key)
            try write(nil, by: fields, into: &builder)
            builder.end()
        case .elementMatch(let filter):
            guard let value = document?[field.key] else { return }
            try Self.writeFirstMatch(RawElement(key: field.key, value: value), filter, into: &builder)
        default: return
        }
    }

    private func writeComputed(
        _ key: RawKey, _ expression: Expression, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        guard let run, let value = try expression.evaluate(run) else { return }
        try Batch.check(builder.count + value.count)
        try run.spend(bytes: value.count)
        builder.append(key, value)
    }
}

// What only `find` has.
extension ProjectionWriter {
    private func writeSlice(_ element: RawElement, _ skip: Int?, _ count: Int, into builder: inout DocumentBuilder) {
        guard let array = element.value.array else { return builder.append(element) }
        let elements = array.map(\.value)
        builder.beginArray(element.key)
        for (index, value) in Self.slice(elements, skip, count).enumerated() { builder.append(index: index, value) }
        builder.end()
    }

    private static func slice(_ elements: [RawValue], _ skip: Int?, _ count: Int) -> ArraySlice<RawValue> {
        guard let skip else { return count < 0 ? elements.suffix(-count) : elements.prefix(count) }
        let start = skip < 0 ? Swift.max(elements.count + skip, 0) : Swift.min(skip, elements.count)
        return elements[start...].prefix(count)
    }

    private func writePositional(_ element: RawElement, into builder: inout DocumentBuilder) throws(CommandError) {
        guard let array = element.value.array else { return builder.append(element) }
        guard let position else {
            throw CommandError(
                ErrorCode(51246),
                "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching "
                    + "element in the array")
        }
        let elements = array.map(\.value)
        guard position < elements.count else {
            throw CommandError(
                ErrorCode(51247),
                "Executor error during find command :: caused by :: positional operator '.$' element mismatch")
        }
        builder.beginArray(element.key)
        builder.append(index: 0, elements[position])
        builder.end()
    }

    private static func writeFirstMatch(
        _ element: RawElement, _ filter: Unmanaged<FilterProgram>, into builder: inout DocumentBuilder
    ) throws(CommandError) {
        guard let found = try firstMatch(in: element.value, filter) else { return }
        builder.beginArray(element.key)
        builder.append(index: 0, found)
        builder.end()
    }

    private static func firstMatch(
        in value: RawValue, _ filter: Unmanaged<FilterProgram>
    ) throws(CommandError) -> RawValue? {
        guard let array = value.array else { return nil }
        // The filter is `{"": {$elemMatch: …}}`: what it says of one element, it says of an array of one.
        let wrapped = Document { $0.append("", value) }
        let index = try wrapped.withRaw { raw throws(CommandError) -> Int? in
            var position = -1
            let matches = try filter.takeUnretainedValue().evaluate(raw, &position)
            return matches && position >= 0 ? position : nil
        }
        guard let index else { return nil }
        return array.map(\.value)[index]
    }
}

/// The fields of a list that are written already. Lists longer than a word are rare; they pay for an array.
private struct WrittenFields {
    private var bits: UInt64 = 0
    private var many: [Bool] = []

    init(_ count: Int) {
        if count > 64 { many = [Bool](repeating: false, count: count) }
    }

    mutating func insert(_ index: Int) {
        if many.isEmpty { bits |= 1 << UInt64(index) } else { many[index] = true }
    }

    func contains(_ index: Int) -> Bool {
        many.isEmpty ? bits & 1 << UInt64(index) != 0 : many[index]
    }
}
