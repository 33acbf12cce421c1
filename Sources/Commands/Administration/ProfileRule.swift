package import BSON
internal import CommandModel
internal import Query

/// Which commands are noted: what `profile` sets. The level and the filter are a database's own, the rest holds for
/// all.
package struct ProfileRule: Sendable {
    /// 0: none, 1: slow ones, 2: all.
    package var level: Int32 = 0
    var filter: ProfileFilter?
    package var slowMilliseconds: Int32 = 100
    package var sampleRate = 1.0

    /// Whether a command is slow enough, and drawn.
    ///
    /// - Parameter chance: from 0 up to 1.
    package func isSlow(nanoseconds: Int64, chance: Double) -> Bool {
        nanoseconds > Int64(slowMilliseconds) * 1_000_000 && chance < sampleRate
    }
}

/// Decides alone, whatever level 1 and the log would say: a filter over what would be noted.
package struct ProfileFilter: Sendable {
    let filter: Filter
    /// As it is shown: equality in words.
    let shown: Document

    init(_ document: Document) throws(CommandError) {
        filter = try Filter(compiling: document)
        shown = Document { builder in
            document.withRaw { raw in
                for field in raw {
                    if field.key.string.hasPrefix("$") || field.value.document?.isOperators ?? false {
                        builder.append(field)
                    } else {
                        builder.beginDocument(field.key)
                        builder.append("$eq", field.value)
                        builder.end()
                    }
                }
            }
        }
    }

    func matches(_ entry: Document) -> Bool {
        do throws(CommandError) { return try filter.matches(entry) } catch { return false }
    }
}

extension RawDocument {
    fileprivate var isOperators: Bool { firstElement?.key.string.hasPrefix("$") ?? false }
}
