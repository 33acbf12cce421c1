internal import BSON

extension RawDocument {
    /// The value at a path through documents; arrays are not entered.
    func value(at path: ArenaList<RawKey>) -> RawValue? {
        var document = self
        for index in 0..<path.count {
            guard let value = document[path[index]] else { return nil }
            if index == path.count - 1 { return value }
            guard let next = value.document else { return nil }
            document = next
        }
        return nil
    }
}

extension Batch {
    /// Appends a document with an array at a path.
    mutating func append(_ document: RawDocument, setting path: ArenaList<RawKey>, toArray list: Document) {
        list.withRaw { list in
            append { $0.append(document, setting: path, to: .some(RawValue(type: .array, bytes: list.bytes))) }
        }
    }
}

extension DocumentBuilder {
    /// Appends the fields of `document` with one value changed: set, added at the end with the documents on the way, or
    /// taken out.
    ///
    /// - Parameter value: nil to leave everything, nil within to take the value out.
    mutating func append(
        _ document: RawDocument?, setting path: ArenaList<RawKey>, to value: RawValue??, depth: Int = 0
    ) {
        guard case .some(let new) = value, depth < path.count else {
            for element in document ?? .none { append(copying: element) }
            return
        }
        let key = path[depth]
        let isLast = depth == path.count - 1
        var isDone = false
        for element in document ?? .none {
            guard !isDone, element.key == key else {
                append(copying: element)
                continue
            }
            isDone = true
            if isLast {
                if let new { append(key, new) }
            } else if new != nil || element.value.type == .document {
                beginDocument(key)
                append(element.value.document, setting: path, to: value, depth: depth + 1)
                end()
            } else {
                append(copying: element)
            }
        }
        guard !isDone, let new else { return }
        if isLast {
            append(key, new)
        } else {
            beginDocument(key)
            append(nil, setting: path, to: value, depth: depth + 1)
            end()
        }
    }
}
