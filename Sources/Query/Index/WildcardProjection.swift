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
                    "Bad projection specification, cannot use computed fields when parsing a spec in "
                        + "kBanComputedFields mode: \(element.key.string.prefix(100))")
            }
            try checkValues(inner, depth: depth + 1)
        }
    }

    /// No path lies within another: that is told before what is included and what excluded.
    static func checkPaths(_ projection: RawDocument) throws(CommandError) {
        var ends: Set<String> = []
        var parents: Set<String> = []
        for (path, _) in leaves(projection) {
            guard !ends.contains(path), !parents.contains(path) else {
                throw CommandError(ErrorCode(31250), "Path collision at \(path.prefix(100))")
            }
            for dot in path.indices where path[dot] == "." {
                let parent = String(path[..<dot])
                guard !ends.contains(parent) else {
                    throw CommandError(
                        ErrorCode(31249),
                        "Path collision at \(path.prefix(100)) remaining portion "
                            + "\(path[dot...].dropFirst().prefix(100))")
                }
                parents.insert(parent)
            }
            ends.insert(path)
        }
    }

    /// Whether the wildcard still sees `path`, or something within it.
    static func shows(_ path: String, _ projection: RawDocument) -> Bool {
        let paths = leaves(projection)
        if path == "_id" { return paths.contains { $0.path == "_id" && $0.isIncluded } }
        let others = paths.filter { $0.path != "_id" }
        guard others.first?.isIncluded ?? paths.contains(where: \.isIncluded) else {
            // Left out as a whole.
            return !others.contains { (path + ".").utf8.starts(with: ($0.path + ".").utf8) }
        }
        return others.contains { path.overlaps($0.path) }
    }

    /// The paths at the ends of a projection.
    static func leaves(
        _ projection: RawDocument, below parent: String = "", depth: Int = 0
    ) -> [(path: String, isIncluded: Bool)] {
        guard depth <= FilterCompiler.depthMax else { return [] }
        return projection.flatMap { element in
            let path = parent.isEmpty ? element.key.string : "\(parent).\(element.key.string)"
            if let inner = element.value.document { return leaves(inner, below: path, depth: depth + 1) }
            return [(path, element.value.isTruthy)]
        }
    }
}
