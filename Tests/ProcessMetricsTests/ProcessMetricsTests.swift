import Testing

@testable import ProcessMetrics

@Suite struct MetricsTextTests {
  @Test func `a text is what Prometheus reads, and equal samples are added up`() {
    var text = MetricsText()
    text.counter("a_total", "How often.\nReally \\.", 2, ["name": "x\"y\\z\n"])
    text.counter("a_total", "How often.\nReally \\.", 3, ["name": "x\"y\\z\n"])
    text.gauge("b_seconds", "How \"long\".", 0.25)
    text.histogram("c", "Sizes.", bounds: [0.5, 1], counts: [1, 0, 2], sum: 7.5)
    #expect(
      text.text == """
        # HELP a_total How often.\\nReally \\\\.
        # TYPE a_total counter
        a_total{name="x\\"y\\\\z\\n"} 5
        # HELP b_seconds How "long".
        # TYPE b_seconds gauge
        b_seconds 0.25
        # HELP c Sizes.
        # TYPE c histogram
        c_bucket{le="0.5"} 1
        c_bucket{le="1.0"} 1
        c_bucket{le="+Inf"} 3
        c_sum 7.5
        c_count 3

        """)
    var extreme = MetricsText()
    for (name, value) in [("x", Double.nan), ("y", .infinity), ("z", 1e300)] { extreme.gauge(name, "", value) }
    #expect(
      extreme.text.contains("x NaN\n") && extreme.text.contains("y +Inf\n") && extreme.text.contains("z 1e+300\n"))
  }

  private final class Source: MetricsSource {
    var metrics: MetricsText {
      var text = MetricsText()
      text.gauge("things", "Things.", 1)
      return text
    }
  }

  @Test func `who is gone is not asked, and is forgotten`() async {
    let registry = MetricsRegistry()
    let kept = Source()
    registry.add(kept)
    for _ in 0..<1000 { registry.add(Source()) }
    #expect(registry.count < 200)
    registry.add {
      var text = MetricsText()
      text.gauge("things", "Things.", 2)
      return text
    }
    #expect(await registry.metrics.text.contains("things 3\n"))
    withExtendedLifetime(kept) {}
  }

  @Test func `texts of several processes become one, each family once`() {
    var one = MetricsText()
    one.gauge("depth", "Depth.", 1, ["name": "a{b} c"])
    one.gauge("only", "Only here.", 4)
    var two = MetricsText()
    two.gauge("depth", "Depth.", 2)
    var merge = MetricsMerge(label: "part")
    merge.add(one.text, of: "api")
    merge.add(two.text, of: "node")
    #expect(
      merge.text == """
        # HELP depth Depth.
        # TYPE depth gauge
        depth{part="api",name="a{b} c"} 1
        depth{part="node"} 2
        # HELP only Only here.
        # TYPE only gauge
        only{part="api"} 4

        """)
  }

  @Test func `the process's own figures are those of the kernel`() {
    let text = ProcessFigures.metrics.text
    for name in [
      "process_cpu_seconds_total", "process_resident_memory_bytes", "nagaya_process_pss_bytes", "process_open_fds",
      "process_max_fds", "process_start_time_seconds", "process_threads",
    ] {
      let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
      #expect(line.flatMap { Double($0.split(separator: " ")[1]) } ?? -1 > 0, "\(name)")
    }
  }
}
