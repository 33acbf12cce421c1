import BSON
import CommandModel
import Testing

@testable import Query

/// A document written as extended JSON; a mistake in it fails the test that uses it.
func json(_ text: String) -> Document {
    do {
        return try Document(extendedJSON: text)
    } catch {
        Issue.record("\(text): \(error)")
        return .empty
    }
}

extension Document {
    var value: Value { .document(self) }
    var text: String { extendedJSON(.relaxed) }
}

/// The code of the error that `body` throws, or nil.
func errorCode(_ body: () throws -> Void) -> Int32? {
    do {
        try body()
        return nil
    } catch let error as CommandError {
        return error.code.number
    } catch {
        Issue.record("unexpected error \(error)")
        return nil
    }
}

func matches(_ filter: String, _ document: String) throws -> Bool {
    let filter = try Filter(compiling: json(filter))
    return json(document).withRaw { filter.matchesPlainly($0) }
}
