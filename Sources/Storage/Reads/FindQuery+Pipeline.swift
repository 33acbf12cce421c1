package import Query

extension FindQuery {
    /// What a query can do of a pipeline while it reads its collection: filter, order and window from the front, and
    /// to read no more of a document than the rest needs. The rest stays in the pipeline.
    package init(absorbing pipeline: inout Pipeline) {
        self.init(filter: .everything)
        carriesTextScore = pipeline.carriesTextScore
        takeFilter(of: &pipeline)
        takeSort(of: &pipeline)
        takeWindow(of: &pipeline)
        if skip == 0, limit == nil, case .group(let group)? = pipeline.stages.first {
            distinct = group.distinct(isSorted: sort != nil)
        }
        guard !pipeline.stages.isEmpty else { return }
        narrowing = sort == nil ? pipeline.narrowing : pipeline.narrowingOfKept
    }

    private mutating func takeFilter(of pipeline: inout Pipeline) {
        guard case .match(let filter)? = pipeline.stages.first else { return }
        self.filter = filter
        pipeline.stages.removeFirst()
    }

    private mutating func takeSort(of pipeline: inout Pipeline) {
        guard case .sort(let pattern, _)? = pipeline.stages.first else { return }
        sort = pattern
        pipeline.stages.removeFirst()
    }

    private mutating func takeWindow(of pipeline: inout Pipeline) {
        var window = Window()
        var count = 0
        for stage in pipeline.stages {
            guard window.take(stage) else { break }
            count += 1
        }
        skip = Int(clamping: window.skip)
        limit = window.limit.map { Int(clamping: $0) }
        pipeline.stages.removeFirst(count)
    }
}
