import CRI
import GRPCCore
import TestSupport
import Testing

@testable import LazyImages

/// What docs/images.md tells an operator: a node goes over to lazy images, and back.
@Suite(.serialized) struct SwitchTests {
  @Test("a node is switched over and back under running containers") func overAndBack() async throws {
    try await ImagesDaemon.with { daemon in
      // As a node is that knows nothing of us.
      try await ContainerdFixture.with(tables: "") { containerd in
        try await RuntimeClient.with(containerd) { client in
          let (early, late) = ("\(containerd.registry)/early:1", "\(containerd.registry)/late:1")
          let layers = ["mkdir a && echo one > a/file"]
          try await containerd.push(.eStargz, "early:1", layers, daemon)
          try await containerd.push(.eStargz, "late:1", layers + ["mkdir a && echo two > a/second"], daemon)
          try await client.pull(early)
          let pod = try await client.runPod()
          _ = try await client.start("before", in: pod, image: early, ["wait"])

          try await containerd.restart(tables: daemon.tables)
          #expect(try await client.running() == ["before"])
          // What was pulled before is unpacked once more, from the content that containerd kept.
          _ = try await client.start("known", in: pod, image: early, ["/a/file"])
          try await client.pull(late)
          _ = try await client.start("lazy", in: pod, image: late, ["wait"])
          try await eventually("it has read") { try await client.ended() == ["known": 0] }
          #expect(client.output(of: "known") == ["one"])
          #expect(try await client.running() == ["before", "lazy"])

          let back = daemon.tables.replacing(
            "\n  snapshotter = \"nagaya\"\n\n[proxy", with: "\n\n[proxy", maxReplacements: 1)
          #expect(back != daemon.tables)
          try await containerd.restart(tables: back)
          #expect(try await client.running() == ["before", "lazy"])
          // Its layers never came to containerd: the image has to be removed and pulled again.
          await #expect(throws: RPCError.self) {
            _ = try await client.start("unpacked", in: pod, image: late, ["/a/second"])
          }
          try await client.remove(image: late)
          try await client.pull(late)
          _ = try await client.start("again", in: pod, image: late, ["/a/second"])
          try await eventually("it has read") { try await client.ended()["again"] != nil }
          #expect(client.output(of: "again") == ["two"])
          #expect(try await client.running() == ["before", "lazy"])
          try await client.remove(pod)
        }
      }
    }
  }
}
