package import BSON
internal import CommandModel

// What the optimizer and `explain` ask of a filter: its specification, which the program keeps.
extension Filter {
    /// The filter as the client wrote it.
    package var specification: Document {
        withExtendedLifetime(program) { Document(copying: program.source) }
    }

    /// The filter of what both match, in this order; nil when there is no such filter (the two together are too deep).
    func and(_ other: Filter) -> Filter? {
        guard !matchesEverything else { return other }
        guard !other.matchesEverything else { return self }
        let both = Document { builder in
            builder.beginArray("$and")
            builder.append(index: 0, .document(specification))
            builder.append(index: 1, .document(other.specification))
            builder.end()
        }
        let features = program.features.union(other.program.features)
        guard let environment = program.environment else {
            return try? Filter(compiling: both, collator: program.collator, allowing: features)
        }
        return try? Filter(compiling: both, environment: environment, allowing: features)
    }
}
