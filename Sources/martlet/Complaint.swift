import ArgumentParser
import Foundation

/// What the program says on standard error before it ends.
enum Complaint {
    /// Something did not work: status 1.
    static func failure(_ text: String) -> ExitCode {
        say("martlet: \(text)\n")
        return .failure
    }

    /// An option is wrong, wherever it was given: status 64, by which a service manager knows that another try is in
    /// vain.
    static func usage(_ text: String, of command: String) -> ExitCode {
        say("martlet: \(text)\nSee 'martlet \(command) --help'.\n")
        return .validationFailure
    }

    /// Nobody may be there to read it: that is no reason to end in another way.
    static func say(_ text: String, to file: FileHandle = .standardError) {
        try? file.write(contentsOf: Data(text.utf8))
    }
}
