internal import BSON
internal import CommandModel

// Arguments that are understood, and refused when they ask for something else than what is done anyway. What is
// malformed is told before what is not supported.

extension Argument {
    /// A flag that may be given, but not be set.
    func refuseIfSet(_ command: StaticString) throws(CommandError) {
        guard try ifPresent(Argument.lenientBool) != true else { throw notSupportedYet(command) }
    }

    /// `term` and the like, by which the members of a replica set talk among themselves.
    func ignoreInternalLong() throws(CommandError) {
        _ = try ifPresent(Argument.long)
    }

    /// A document that may be given, but must be empty.
    func refuseUnlessEmpty(_ command: StaticString) throws(CommandError) {
        guard try ifPresent(Argument.document)?.isEmpty != false else { throw notSupportedYet(command) }
    }
}
