internal import Foundation
internal import Storage

extension BackendSettings {
    var spill: SpillDirectory {
        SpillDirectory(path: spillDirectory ?? SpillDirectory.systemDefault, bytesMax: spillBytesMax)
    }

    /// The settings with a directory for temporary files: the one that was asked for, which must be fit for it; or one
    /// beside the embedded PostgreSQL's; or, for another PostgreSQL, that of the system.
    func withSpillDirectory(beside location: BackendLocation) throws(StartFailure) -> BackendSettings {
        if spillDirectory != nil {
            guard let problem = spill.problem() else { return self }
            throw StartFailure("--spill-directory cannot be used: \(problem)")
        }
        var settings = self
        if case .embedded(let directory) = location {
            settings.spillDirectory = URL(fileURLWithPath: directory).appendingPathComponent("spill").path
        }
        return settings
    }
}
