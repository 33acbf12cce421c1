internal import BSON
internal import CommandModel

// Dates as text.
extension Conversion {
    func parsedDate(_ input: RawValue) throws(CommandError) -> Int64 {
        throw failed(input, "the text is no date")
    }

    func dateText(_ input: RawValue) throws(CommandError) -> RawValue {
        guard let text = ISODate.text(input.date ?? 0) else {
            throw CommandError(ErrorCode(18537), "the year of a date to be written must be in 0 … 9999")
        }
        return try run.scratch.string(text)
    }
}
