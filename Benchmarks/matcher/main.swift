// Filters over documents in memory, one core, no database: what matching costs by itself.
//
//     swift run -c release MatcherBenchmark [seconds for each, 1 by default]

import BSON
import CommandModel
import Query

/// As `Benchmarks/filters` has them: none matches.
let filters = [
    ("one number", #"{"count": -1}"#),
    ("range of two", #"{"count": {"$gte": 5000}, "price": {"$lt": 0}}"#),
    ("nested text", #"{"address.city": "nowhere"}"#),
    (
        "one of ten in an array",
        #"{"tags": {"$in": ["absent0", "absent1", "absent2", "absent3", "absent4", "absent5", "absent6", "absent7", "#
            + #""absent8", "absent9"]}}"#
    ),
    ("or, regular expression", #"{"$or": [{"name": {"$regex": "^never"}}, {"count": -1, "tags": "absent"}]}"#),
]

/// More than the processor's caches hold.
let bytesOfDocuments = 64 * 1024 * 1024

func row(_ number: Int, size: Int) throws -> Document {
    let text = size > 140 ? #", "text": "\#(String(repeating: "x", count: size - 140))""# : ""
    return try Document(
        extendedJSON:
            #"{"_id": \#(number), "name": "item \#(number * 7919 % 10_000)", "count": \#(number * 31 % 1000), "#
            + #""price": \#(Double(number % 9973) / 97), "address": {"city": "city \#(number % 100)"}, "#
            + #""tags": ["tag\#(number % 50)", "tag\#(number % 47)"]\#(text)}"#)
}

func matchesPerSecond(_ filter: Filter, _ batches: [Batch], _ seconds: Double) throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    var (documents, found, elapsed) = (0, 0, Duration.zero)
    repeat {
        for batch in batches {
            var position = 0
            try batch.forEach(from: &position) { document in
                if try filter.matches(document) { found += 1 }
                return true
            }
            documents += batch.count
        }
        elapsed = clock.now - start
    } while elapsed < .seconds(seconds)
    precondition(found == 0, "a filter that matches nothing has matched")
    return Double(documents) / (elapsed / .seconds(1))
}

let seconds = CommandLine.arguments.dropFirst().first.flatMap(Double.init) ?? 1
print("| filter | 150 B, documents/s | 1.2 kB, documents/s |")
print("|---|---:|---:|")
let corpora = try [150, 1200].map { size in
    try stride(from: 0, to: bytesOfDocuments / size, by: 500).map { first in
        Batch(try (first..<first + 500).map { try row($0, size: size) })
    }
}
for (name, text) in filters {
    let filter = try Filter(compiling: try Document(extendedJSON: text))
    let rates = try corpora.map { Int(try matchesPerSecond(filter, $0, seconds)) }
    print("| \(name) | \(rates[0]) | \(rates[1]) |")
}
