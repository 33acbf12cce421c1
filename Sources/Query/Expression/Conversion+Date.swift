internal import BSON
internal import CommandModel

// Dates as text.
extension Conversion {
    func parsedDate(_ input: RawValue) throws(CommandError) -> Int64 {
        guard let instant = input.stringBytes.flatMap(DateText.parse) else {
            throw failed(input, "Error parsing date string")
        }
        return instant
    }

    func dateText(_ input: RawValue) throws(CommandError) -> RawValue {
        try DateText.format(input.date ?? 0, run.scratch)
    }
}
