import BSON
import Testing

@testable import CommandModel

/// A command in extended JSON, as it comes in.
func request(_ json: String) throws -> CommandRequest {
    try CommandRequest(body: Document(extendedJSON: json), sequences: [])
}

/// The number of the error that the command is refused with; nil when it is taken.
func refusal(_ json: String) throws -> Int32? {
    let body = try Document(extendedJSON: json)
    do throws(CommandError) {
        _ = try CommandRequest(body: body, sequences: [])
        return nil
    } catch {
        return error.code.number
    }
}

/// Reads `json` as the argument `find.x`.
func read<R>(
    _ json: String, _ read: (Argument) -> () throws(CommandError) -> R
) throws -> Result<R, CommandError> {
    try Document(extendedJSON: #"{"x":\#(json)}"#).withRaw { raw in
        guard let field = raw.first(where: { _ in true }) else { throw CommandError(.noSuchKey, "x") }
        let argument = Argument(command: "find", key: field.key, value: field.value)
        do throws(CommandError) { return .success(try read(argument)()) } catch { return .failure(error) }
    }
}
