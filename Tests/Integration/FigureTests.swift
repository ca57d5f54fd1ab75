import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What the parts say of themselves.
  @Suite("Figures of the parts")
  struct FigureTests {
    @Test("every part says how it is, in one text as Prometheus reads it, and to root alone")
    func metrics() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let place = "--state-dir \(nagaya.state) --run-dir \(nagaya.run)"
      let parts = ["api", "storage", "storage-controller", "controllers", "node", "hooks", "edge"]
      let text = try await shell.succeed("nagaya metrics \(place)")
      for part in parts {
        #expect(text.contains("nagaya_part_ready{part=\"\(part)\"} 1\n"), "\(part)")
        #expect(text.contains("process_resident_memory_bytes{part=\"\(part)\"} "), "\(part)")
        let socket = "\(nagaya.run)/parts/\(part).sock"
        #expect(try await shell.succeed("stat -c %a \(socket) \(nagaya.run)/parts").hasPrefix("600\n700"))
        #expect(try await shell.succeed("curl -s --unix-socket \(socket) http://part/readyz") == "ok")
      }
      for figure in [
        "workqueue_depth{part=\"controllers\",name=\"scheduler\"}",
        "apiserver_storage_objects{part=\"api\",resource=\"namespaces\"}",
        "nagaya_informer_synced{part=\"edge\",resource=\"pods\"} 1", "nagaya_pool_size_bytes{part=\"storage\",node=",
        "nagaya_hooks_connected{part=\"hooks\"} 1", "nagaya_images_layers{part=\"images\",state=\"complete\"}",
      ] { #expect(text.contains("\n\(figure)"), "\(figure)") }
      Self.check(text)

      // Of one part, and of one that does not run.
      let edge = try await shell.succeed("nagaya metrics edge \(place)")
      #expect(edge.contains("part=\"edge\"") && !edge.contains("part=\"api\""))
      #expect(
        try await shell.fail("nagaya metrics --state-dir \(nagaya.directory)/x --run-dir \(nagaya.directory)/x")
          .contains("nagaya up"))

      // The API server's own, for those who may.
      Self.check(try await shell.succeed("kubectl get --raw /metrics"))
      #expect(try await shell.fail("kubectl get --raw /metrics --as somebody").contains("forbidden"))
      try await shell.succeed("kubectl get --raw /metrics --as prober --as-group system:monitoring")
    }

    /// Each family is there once, has its type and help before its samples, and its samples are numbers.
    private static func check(_ text: String) {
      var families: Set<Substring> = []
      var family: Substring = ""
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ", maxSplits: 3)
        if line.hasPrefix("# HELP ") {
          family = words[2]
          #expect(families.insert(family).inserted, "\(family) twice")
        } else if line.hasPrefix("# TYPE ") {
          #expect(words[2] == family && ["counter", "gauge", "histogram"].contains(words[3]), "\(line)")
        } else {
          #expect(line.hasPrefix(family) && Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
        }
      }
      #expect(families.count > 10)
    }
  }
}
