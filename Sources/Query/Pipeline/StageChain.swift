internal import CommandModel

/// The stages of a pipeline within a stage, over documents that are there already: they are pushed through.
struct StageChain {
    private let stages: [any StageRun]
    private let patience: Patience?

    init(_ pipeline: Pipeline, _ limits: StageLimits) {
        stages = pipeline.stages.map { $0.makeRun(limits) }
        patience = limits.patience
    }

    var readsCollections: Bool { stages.contains { $0.readsCollections } }

    /// - Parameter take: gets the results.
    /// - Returns: whether more is wanted.
    func push(_ batch: Batch, _ take: (Batch) throws(CommandError) -> Void) throws(CommandError) -> Bool {
        try push(batch, 0, take)
    }

    /// Takes out what the stages have held back. To be called once.
    func finish(_ take: (Batch) throws(CommandError) -> Void) throws(CommandError) {
        for (index, stage) in stages.enumerated() {
            while true {
                try patience?.check()
                var output = Batch()
                try stage.finish(into: &output)
                guard !output.isEmpty, try push(output, index + 1, take) else { break }
            }
        }
    }

    private func push(
        _ input: Batch, _ index: Int, _ take: (Batch) throws(CommandError) -> Void
    ) throws(CommandError) -> Bool {
        guard index < stages.count else {
            try take(input)
            return true
        }
        let stage = stages[index]
        var position = 0
        while position < input.count, !stage.isSatisfied {
            try patience?.check()
            var output = Batch()
            try stage.process(input, from: &position, into: &output)
            if !output.isEmpty, try !push(output, index + 1, take) { return false }
        }
        return !stage.isSatisfied
    }
}
