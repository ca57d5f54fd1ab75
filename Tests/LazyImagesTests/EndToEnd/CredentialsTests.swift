import Foundation
import GRPCCore
import LinuxSystem
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Images that not everybody may pull: the pod brings its credentials, and they are needed long after the pull.
@Suite(.serialized) struct CredentialsTests {
  @Test("a private image is read with the credentials of its pull, also after the daemon's death")
  func privateImage() async throws {
    let link = "/tmp/nsti-containerd-\(UInt32.random(in: 0 ... .max)).sock"
    defer { unlink(link) }
    try await ImagesDaemon.with(options: "--containerd-socket \(link) --background-rate 1") { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        try #require(symlink(containerd.address, link) == 0)
        try await containerd.push(
          .eStargz, "box:1", ["mkdir a; echo one > a/file; head -c 3000000 /dev/urandom > z"], daemon)
        // The same images behind a password ("open sesame").
        let registry = try await DockerRegistry(
          storage: "\(containerd.directory)/registry",
          users: "ali:$2b$04$CSOTHw/95EgjcI8UK/DY8e78/zE2ayMBRJVusq2BifUN2peAwvxAa\n")
        defer { registry.stop() }
        let box = "\(registry.host)/box:1"
        let socket = "\(daemon.run)/image-service.sock"
        #expect(try FileStatus(of: socket)?.permissions == 0o600)
        try await RuntimeClient.with(containerd, imageSocket: socket) { client in
          for password in [nil, "open barley"] {
            await #expect(throws: RPCError.self) { try await client.pull(box, password: password) }
          }
          try await client.pull(box, password: "open sesame")
          // Nobody's wrong password comes between.
          await #expect(throws: RPCError.self) { try await client.pull(box, password: "open barley") }
          let kept = try #require(SmallFile.text("\(daemon.run)/credentials.json"))
          #expect(kept.contains("open sesame") && !kept.contains("open barley"))
          #expect(try FileStatus(of: "\(daemon.run)/credentials.json")?.permissions == 0o600)

          try await daemon.kill()
          try await daemon.start()
          let pod = try await client.runPod()
          _ = try await client.start("main", in: pod, image: box, ["/a/file"])
          try await eventually("the container has ended") { try await client.ended() == ["main": 0] }
          #expect(client.output(of: "main") == ["one"])
          let log = SmallFile.tail(of: "\(daemon.directory)/log", bytes: 4 << 20)
          #expect(!log.contains("sesame") && !log.contains("barley"))
          try await client.remove(pod)
        }
      }
    }
  }
}
