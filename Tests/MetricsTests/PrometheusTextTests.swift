import Testing

@testable import Metrics

@Suite struct PrometheusTextTests {
    @Test("counters and gauges, with and without labels")
    func plain() {
        var page = PrometheusText()
        page.counter("a_total", "what a is", 3)
        page.gauges("b", "b by pool", [(["pool": "x"], 1), (["pool": "y", "z": "1"], -2)])
        #expect(
            page.text == """
                # HELP a_total what a is
                # TYPE a_total counter
                a_total 3
                # HELP b b by pool
                # TYPE b gauge
                b{pool="x"} 1
                b{pool="y",z="1"} -2

                """)
    }

    @Test("quotes, backslashes and line feeds of a label cannot leave it")
    func escaping() {
        var page = PrometheusText()
        page.gauges("a", "one\\two\n\"three\"", [(["id": "x\"} 1\nb 2\\"], 1)])
        #expect(
            page.text == #"""
                # HELP a one\\two\n"three"
                # TYPE a gauge
                a{id="x\"} 1\nb 2\\"} 1

                """#)
    }

    @Test("buckets are cumulative, end with +Inf, and times are seconds")
    func histogram() {
        let bounds = HistogramBounds(first: 500_000_000, count: 3, divisor: 1e9)
        let snapshot = HistogramSnapshot(bounds: bounds, buckets: [1, 0, 2, 4], sum: 12_250_000_000)
        var page = PrometheusText()
        page.histograms("t_seconds", "times", [(["pool": "p"], snapshot)])
        #expect(
            page.text == """
                # HELP t_seconds times
                # TYPE t_seconds histogram
                t_seconds_bucket{pool="p",le="0.5"} 1
                t_seconds_bucket{pool="p",le="1"} 1
                t_seconds_bucket{pool="p",le="2"} 3
                t_seconds_bucket{pool="p",le="+Inf"} 7
                t_seconds_sum{pool="p"} 12.25
                t_seconds_count{pool="p"} 7

                """)
    }
}
