package import Logging
internal import NIOConcurrencyHelpers
internal import Synchronization

/// The newest lines of the log in memory, for `getLog`, and what `setParameter` changes about the log.
package final class LogRing: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case global, startupWarnings
    }

    package struct Snapshot: Sendable {
        /// Since the start; more than there are lines when old ones have been dropped.
        package let totalLines: Int64
        /// In MongoDB's JSON shape, oldest first.
        package let lines: [String]
    }

    package static let linesMax = 1_024
    /// A longer message is cut: the ring must not hold an unbounded amount of memory.
    package static let messageBytesMax = 4_096

    private struct Lines {
        /// A ring once it is full: `oldest` is the place of the next line.
        var lines: [String] = []
        var oldest = 0
        var total: Int64 = 0

        mutating func append(_ line: String) {
            total += 1
            guard lines.count == LogRing.linesMax else { return lines.append(line) }
            lines[oldest] = line
            oldest = (oldest + 1) % LogRing.linesMax
        }

        var inOrder: [String] { Array(lines[oldest...]) + lines[..<oldest] }
    }

    private struct State {
        var global = Lines()
        var startupWarnings = Lines()
        var isStarting = true
    }

    private let box = NIOLockedValueBox(State())
    private let baseLevel: Logger.Level
    private let verbosityValue = Atomic<Int32>(0)
    private let quietValue = Atomic<Bool>(false)

    /// - Parameter baseLevel: the level of verbosity 0, as the configuration says.
    package init(baseLevel: Logger.Level = .info) {
        self.baseLevel = baseLevel
    }

    /// `logLevel`: 0 logs at the configured level, 1 debug lines too, 2 and more everything.
    package var verbosity: Int32 {
        get { verbosityValue.load(ordering: .relaxed) }
        set { verbosityValue.store(newValue, ordering: .relaxed) }
    }

    /// `quiet`: no lines about connections that come and go.
    package var isQuiet: Bool {
        get { quietValue.load(ordering: .relaxed) }
        set { quietValue.store(newValue, ordering: .relaxed) }
    }

    package var level: Logger.Level {
        switch verbosity {
        case ..<1: baseLevel
        case 1: min(baseLevel, .debug)
        default: .trace
        }
    }

    /// Warnings from now on are no longer startup warnings.
    package func finishStartup() {
        box.withLockedValue { $0.isStarting = false }
    }

    package func append(_ line: String, isWarning: Bool = false) {
        box.withLockedValue { state in
            state.global.append(line)
            if isWarning, state.isStarting { state.startupWarnings.append(line) }
        }
    }

    package func snapshot(_ kind: Kind) -> Snapshot {
        let lines = box.withLockedValue { state in
            switch kind {
            case .global: state.global
            case .startupWarnings: state.startupWarnings
            }
        }
        return Snapshot(totalLines: lines.total, lines: lines.inOrder)
    }
}
