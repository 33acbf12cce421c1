internal import BSON
internal import CommandModel

/// One string of a document that a text index holds.
struct IndexedText {
    let bytes: UnsafeRawBufferPointer
    let weight: Double
    let language: TextLanguage
}

extension TextSpecification {
    /// Calls `visit` with every text of the document until it gives false. Each string of an array is a text by itself.
    func forEachText<R>(
        of document: RawDocument, _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) {
        let language = try language(of: document, self.language)
        for path in paths {
            let value = RawValue(type: .document, bytes: document.bytes)
            let goesOn = try path.steps.withUnsafeBufferPointer { steps throws(CommandError) in
                try forEachText(of: value, steps, path.weight, language, &result, visit)
            }
            guard goesOn else { return }
        }
        guard let wildcardWeight else { return }
        var name: [UInt8] = []
        _ = try forEachField(of: document, &name, wildcardWeight, language, &result, visit)
    }

    /// The recursion is as deep as the document.
    private func forEachText<R>(
        of value: RawValue?, _ steps: Slice<UnsafeBufferPointer<SortStep>>, _ weight: Double,
        _ language: TextLanguage, _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        guard let value else { return true }
        switch value.type {
        case .string where steps.isEmpty:
            guard let bytes = value.stringBytes else { return true }
            return try visit(IndexedText(bytes: bytes, weight: weight, language: language), &result)
        case .document:
            guard let step = steps.first, let document = value.document else { return true }
            let language = try self.language(of: document, language)
            return try forEachText(of: document[step], steps.dropFirst(), weight, language, &result, visit)
        case .array:
            guard let array = value.array else { return true }
            return try forEachText(in: array, steps, weight, language, &result, visit)
        default: return true
        }
    }

    /// A step into an array is the index of an element, where it is a number, or else goes to the documents in it: one
    /// of the two, or the ways through nested arrays would multiply.
    private func forEachText<R>(
        in array: RawDocument, _ steps: Slice<UnsafeBufferPointer<SortStep>>, _ weight: Double,
        _ language: TextLanguage, _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        if let step = steps.first, step.index >= 0 {
            return try forEachText(of: array[step], steps.dropFirst(), weight, language, &result, visit)
        }
        for element in array where steps.isEmpty || element.value.type == .document {
            guard try forEachText(of: element.value, steps, weight, language, &result, visit) else { return false }
        }
        return true
    }

    private func forEachText<R>(
        of value: RawValue?, _ steps: UnsafeBufferPointer<SortStep>, _ weight: Double, _ language: TextLanguage,
        _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        try forEachText(of: value, steps[...], weight, language, &result, visit)
    }

    /// All fields but those that are named, and the names of languages.
    private func forEachField<R>(
        of document: RawDocument, _ name: inout [UInt8], _ weight: Double, _ outer: TextLanguage,
        _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        let language = try language(of: document, outer)
        for element in document where !element.key.bytes.elementsEqual(languageField) {
            let length = name.count
            if length > 0 { name.append(UInt8(ascii: ".")) }
            name.append(contentsOf: element.key.bytes)
            defer { name.removeLast(name.count - length) }
            guard try forEachField(at: element.value, &name, weight, language, &result, visit) else { return false }
        }
        return true
    }

    private func forEachField<R>(
        at value: RawValue, _ name: inout [UInt8], _ weight: Double, _ language: TextLanguage,
        _ result: inout R, _ visit: (IndexedText, inout R) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        switch value.type {
        case .string:
            guard let bytes = value.stringBytes, !names.contains(name) else { return true }
            return try visit(IndexedText(bytes: bytes, weight: weight, language: language), &result)
        case .document:
            guard let document = value.document else { return true }
            return try forEachField(of: document, &name, weight, language, &result, visit)
        case .array:
            guard let array = value.array else { return true }
            // Elements go by the name of their array.
            for element in array {
                let goesOn = try forEachField(at: element.value, &name, weight, language, &result, visit)
                guard goesOn else { return false }
            }
            return true
        default: return true
        }
    }
}
