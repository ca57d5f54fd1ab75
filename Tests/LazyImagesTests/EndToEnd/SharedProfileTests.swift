import Foundation
import LinuxSystem
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// What one machine learned of an image's start, used by another that has never started it.
@Suite(.serialized) struct SharedProfileTests {
  private static let layers = ["for i in $(seq 20); do head -c 300000 /dev/urandom > file$i; done"]

  private func profiles(_ daemon: ImagesDaemon) -> [String] {
    Directory.namesIfReadable(in: "\(daemon.root)/profiles").filter { $0.hasSuffix(".json") }
  }

  @Test func `a profile is pushed once and found by other machines`() async throws {
    try await ImagesDaemon.with(options: "--background-rate 1") { first in
      try await ContainerdFixture.with(tables: first.tables) { containerd in
        try await containerd.push(.eStargz, "box:1", Self.layers, first)
        let image = "\(containerd.registry)/box:1"
        let push = "nagaya image profile push \(image) --root \(first.root)"
        let refused = try await first.shell.fail(push)
        #expect(refused.contains("start a container of it"))
        try await containerd.pull("box:1")
        #expect(try await containerd.run("box:1", "/file7 | wc -c").contains("300000"))
        try await eventually("the start is learned") { !profiles(first).isEmpty }
        #expect(try await first.shell.succeed(push).contains(image))
        // Again, in place of the last one.
        let report = try await first.shell.succeed("\(push) -o json")
        #expect(report.contains("\"layers\":"), "\(report)")
        try await ImagesDaemon.with(options: "--background-rate 1") { second in
          try await ContainerdFixture.with(tables: second.tables) { other in
            try await other.shell.succeed("ctr images pull --plain-http --snapshotter nagaya \(image)", seconds: 120)
            try await eventually("the profile is here") { !profiles(second).isEmpty }
            try await eventually("what it names is fetched before anybody reads") {
              try await second.shell.succeed(
                "curl -s --fail --unix-socket \(second.run)/status.sock http://localhost/metrics"
              ).contains(/nagaya_images_fetched_bytes_total\{cause="prefetch"\} [1-9]/)
            }
          }
        }
      }
    }
  }
}
