internal import SQL

/// A write of one document: alone, and with changes of keys and recordings that depend on its effect. Its parameter
/// `$1` is the document's `id`.
struct RecordedSQL: Sendable {
    let plain: String
    private let withOne: String
    private let withMany: String

    /// - Parameter parameters: how many `plain` has.
    init(_ plain: String, parameters: Int) {
        self.plain = plain
        withOne = Self.stored(plain) + " " + GuardSQL.recordingOneStored(first: parameters + 1)
        withMany = Self.stored(plain) + " " + GuardSQL.recordingManyStored(first: parameters + 1)
    }

    private static func stored(_ plain: String) -> String { "WITH stored AS (\(plain) RETURNING 1)" }

    func statement(
        _ parameters: [Parameter], recording claims: [ClaimedResult] = [], changing keys: KeyChanges = KeyChanges()
    ) -> Statement {
        guard keys.isEmpty else { return statement(parameters, claims, keys) }
        return switch claims.count {
        case 0: Statement(plain, parameters)
        case 1: Statement(withOne, parameters + claims.parameters)
        default: Statement(withMany, parameters + claims.parameters)
        }
    }

    private func statement(_ parameters: [Parameter], _ claims: [ClaimedResult], _ keys: KeyChanges) -> Statement {
        let steps = keys.steps(first: parameters.count + 1)
        let (text, all) = (Self.stored(plain) + steps.text + " ", parameters + steps.parameters)
        return switch claims.count {
        case 0: Statement(text + "SELECT FROM stored", all)
        case 1: Statement(text + GuardSQL.recordingOneStored(first: all.count + 1), all + claims.parameters)
        default: Statement(text + GuardSQL.recordingManyStored(first: all.count + 1), all + claims.parameters)
        }
    }
}
