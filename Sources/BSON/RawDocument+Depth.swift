extension RawDocument {
    /// How deeply a stored document may nest, itself counted: less than what a message may hold, so that a stored
    /// document still fits into a reply, an update or an event about it.
    package static let storedDepthMax = 180

    /// Whether the document nests deeper than may be stored.
    package var isTooDeepToStore: Bool {
        // A level takes its type, the NUL of its name, a length and a NUL of its own: most documents are too small.
        bytes.count > Self.storedDepthMax * 7 && nestsDeeper(than: Self.storedDepthMax)
    }

    /// The recursion is as deep as `levels`.
    private func nestsDeeper(than levels: Int) -> Bool {
        if levels == 0 { return true }
        for element in self {
            switch element.value.type {
            case .document, .array:
                if element.value.container?.nestsDeeper(than: levels - 1) == true { return true }
            case .javascriptWithScope:
                if element.value.codeWithScope?.scope.nestsDeeper(than: levels - 1) == true { return true }
            default: continue
            }
        }
        return false
    }
}
