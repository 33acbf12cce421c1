internal import BSON
internal import CommandModel

/// The keys of a document whose sort has several paths into one array: one key for each element, of which the least
/// counts. `{"a.b": 1, "a.c": 1}` compares pairs that stand in one element, not the least `b` and the least `c` of all.
///
/// Paths into different arrays would make as many keys as the product of their lengths: refused.
struct ParallelKeys {
    private let pattern: SortPattern
    private let document: RawDocument
    private var least: [UInt8]?

    init(_ pattern: SortPattern, of document: RawDocument) {
        self.pattern = pattern
        self.document = document
    }

    /// How far a path was followed.
    private struct Walk {
        var value: RawValue?
        /// Steps taken.
        var depth: Int
        /// An element of an array that the path ends in: not looked into.
        var isSettled = false
    }

    consuming func leastKey() throws(CommandError) -> [UInt8] {
        let walks = pattern.fields.map { field in
            field.source == .path ? Walk(value: document[field.steps[0]], depth: 1) : Walk(depth: 0, isSettled: true)
        }
        var keys = self
        try keys.expand(walks)
        return keys.least ?? []
    }

    /// The recursion is as deep as the paths have steps: each level takes one of them, or ends at an array.
    private mutating func expand(_ walks: [Walk]) throws(CommandError) {
        var walks = walks
        for index in walks.indices { follow(&walks[index], pattern.fields[index].steps) }
        let stopped = walks.indices.filter { !walks[$0].isSettled }
        guard let first = stopped.first, let array = walks[first].value?.array else { return take(walks) }
        for index in stopped where walks[index].value?.start != walks[first].value?.start {
            throw CommandError(.badValue, "cannot sort with keys that are parallel arrays")
        }
        if array.isEmpty {
            try expand(entering(nil, walks, stopped))
            return
        }
        for element in array { try expand(entering(element.value, walks, stopped)) }
    }

    /// The walks, those that stand before the array one element further.
    private func entering(_ element: RawValue?, _ walks: [Walk], _ stopped: [Int]) -> [Walk] {
        var walks = walks
        for index in stopped {
            let steps = pattern.fields[index].steps
            if walks[index].depth == steps.count {
                walks[index] = Walk(value: element ?? .nothing(.undefined), depth: steps.count, isSettled: true)
            } else {
                let inner = element?.document?[steps[walks[index].depth]]
                walks[index].value = inner
                walks[index].depth += 1
                walks[index].isSettled = inner == nil
            }
        }
        return walks
    }

    /// Goes through documents, and by index into arrays, until the end or an array.
    private func follow(_ walk: inout Walk, _ steps: [SortStep]) {
        while !walk.isSettled {
            if let array = walk.value?.array {
                guard walk.depth < steps.count, steps[walk.depth].index >= 0, let element = array[steps[walk.depth]]
                else { return }
                walk.value = element
                walk.depth += 1
            } else if walk.depth < steps.count {
                walk.value = walk.value?.document?[steps[walk.depth]]
                walk.depth += 1
                if walk.value == nil { walk.isSettled = true }
            } else {
                walk.isSettled = true
            }
        }
    }

    private mutating func take(_ walks: [Walk]) {
        var encoder = KeyEncoder()
        for (field, walk) in zip(pattern.fields, walks) {
            guard field.source == .path else {
                field.appendFact(of: document, to: &encoder)
                continue
            }
            encoder.append(
                walk.value ?? .nothing(.null), descending: field.isDescending, collator: pattern.collator)
        }
        let key = encoder.bytes
        if least.map({ key.lexicographicallyPrecedes($0) }) ?? true { least = key }
    }
}
