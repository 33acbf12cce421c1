internal import BSON
internal import CommandModel

/// `wildcardProjection`: paths to include or to exclude, and nothing that is computed.
enum WildcardProjection {
    static func checkValues(_ projection: RawDocument, depth: Int) throws(CommandError) {
        for element in projection {
            let value = element.value
            if value.type.isNumber || value.type == .bool { continue }
            guard let inner = value.document, inner.firstKey?.startsWithDollar != true,
                depth < FilterCompiler.depthMax
            else {
                throw CommandError(
                    ErrorCode(51271),
                    "Bad projection specification, cannot use computed fields when parsing a spec in kBanComputedFields "
                        + "mode: \(element.key.string.prefix(100))")
            }
            try checkValues(inner, depth: depth + 1)
        }
    }

    /// Whether the wildcard still sees `path`, or something within it.
    static func shows(_ path: String, _ projection: RawDocument) -> Bool {
        let paths = leaves(projection, below: "")
        if path == "_id" { return paths.contains { $0.path == "_id" && $0.isIncluded } }
        let others = paths.filter { $0.path != "_id" }
        guard others.first?.isIncluded ?? paths.contains(where: \.isIncluded) else {
            // Left out as a whole.
            return !others.contains { (path + ".").utf8.starts(with: ($0.path + ".").utf8) }
        }
        return others.contains { path.overlaps($0.path) }
    }

    private static func leaves(
        _ projection: RawDocument, below parent: String, depth: Int = 0
    ) -> [(path: String, isIncluded: Bool)] {
        guard depth <= FilterCompiler.depthMax else { return [] }
        return projection.flatMap { element in
            let path = parent.isEmpty ? element.key.string : "\(parent).\(element.key.string)"
            if let inner = element.value.document { return leaves(inner, below: path, depth: depth + 1) }
            return [(path, element.value.isTruthy)]
        }
    }
}
