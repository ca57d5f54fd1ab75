import Foundation
import JSONDocument
import OCI
import PlatformHarness
import Testing

@testable import nagaya

@Suite struct ImageConvertTests {
  /// Packs a small tree and returns the archive.
  private func pack(_ directory: String) async throws -> String {
    try await Shell().succeed(
      """
      mkdir -p \(directory)/t/bin \(directory)/t/data && cd \(directory)/t && printf '#!/bin/sh\\n' > bin/app
      ln bin/app bin/again && ln -s app bin/link && seq 1 400000 > data/text && head -c 300000 /dev/urandom > data/random
      for i in $(seq 50); do echo $i > data/$i; done; chmod 4755 bin/app
      """)
    let packed = await CommandRunner()(
      "image", "pack", "\(directory)/t", "--name", "team.local/app:7", "--cmd", "/bin/app", "-o",
      "\(directory)/app.tar")
    try #require(packed.code == 0, "\(packed.error)")
    return "\(directory)/app.tar"
  }

  @Test(arguments: ["estargz", "zstd:chunked"]) func `a converted image is lazy and repeatable`(_ format: String)
    async throws
  {
    try await withTemporaryDirectory { directory in
      let archive = try await pack(directory)
      let run = CommandRunner()
      try Data("/bin/app\ndata/7\n/not/there\n".utf8).write(to: URL(fileURLWithPath: "\(directory)/list"))
      for (name, jobs) in [("one", "1"), ("two", "3")] {
        let result = await run(
          "image", "convert", archive, "\(directory)/\(name).tar", "--format", format, "--prioritize",
          "\(directory)/list", "--jobs", jobs, "--chunk-size", "64", "-o", "json")
        try #require(result.code == 0, "\(result.error)")
        #expect(try JSONValue(parsing: result.out)["layers"][0]["prioritized"].int == 2)
        #expect(result.error.contains("layer 1 of 1: compressing"))
      }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/one.tar"))
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/two.tar")) == bytes)
      #expect(try ImageArchiveReader.check(MemorySource(bytes)).map(\.name) == ["team.local/app:7"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory).allSatisfy { !$0.hasPrefix(".") })

      let plain = try JSONValue(parsing: await run("image", "inspect", archive, "-o", "json").out)
      #expect(plain[0]["layers"][0]["lazy"].bool == false)
      #expect(plain[0]["layers"][0]["format"].string == "gzip")
      let lazy = try JSONValue(parsing: await run("image", "inspect", "\(directory)/one.tar", "-o", "json").out)
      #expect(lazy[0]["layers"][0]["lazy"].bool == true)
      #expect(lazy[0]["layers"][0]["format"].string == format)
      #expect(lazy[0]["layers"][0]["files"].int == 56)
      #expect((lazy[0]["layers"][0]["prefetchBytes"].int ?? .max) < 20_000)
      let table = await run("image", "inspect", "\(directory)/one.tar").out
      #expect(table.contains("team.local/app:7") && table.contains("yes"))
    }
  }

  @Test func `containerd unpacks converted images to the same tree`() async throws {
    let programs = "\(ContainerdImportTests.engines)/bin"
    try #require(FileManager.default.isExecutableFile(atPath: "\(programs)/containerd"), "no containerd in \(programs)")
    try await withTemporaryDirectory { directory in
      let archive = try await pack(directory)
      for (name, format) in [("estargz", "estargz"), ("zstd", "zstd:chunked")] {
        let result = await CommandRunner()("image", "convert", archive, "\(directory)/\(name).tar", "--format", format)
        try #require(result.code == 0, "\(result.error)")
      }
      let config = """
        version = 3
        root = "\(directory)/root"
        state = "\(directory)/state"
        disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"]
        [grpc]
        address = "\(directory)/c.sock"
        [ttrpc]
        address = "\(directory)/c.sock.ttrpc"
        """
      try config.write(toFile: "\(directory)/config.toml", atomically: true, encoding: .utf8)
      let script = """
        ctr() { \(programs)/ctr --address \(directory)/c.sock -n $space "$@"; }
        space=none; \(programs)/containerd --config \(directory)/config.toml > \(directory)/log 2>&1 &
        pid=$!; trap "kill $pid; wait $pid" EXIT
        until ctr version > /dev/null 2>&1; do kill -0 $pid || { cat \(directory)/log; exit 1; }; sleep 0.05; done
        for space in estargz zstd; do
          ctr images import --local --snapshotter native \(directory)/$space.tar >&2 || exit
          ctr images check --snapshotter native
          mkdir \(directory)/$space && ctr images mount --snapshotter native team.local/app:7 \(directory)/$space >&2 || exit
          cp -a \(directory)/$space \(directory)/copy-$space
          ctr images unmount --rm --snapshotter native \(directory)/$space >&2 || umount \(directory)/$space
          cd \(directory)/copy-$space && rm -f .no.prefetch.landmark stargz.index.json
          diff -r --no-dereference ../t . && find . -mindepth 1 -printf '%p %m %n %l\\n' | LC_ALL=C sort > ../$space.list || exit
        done
        cd ../t && find . -mindepth 1 -printf '%p %m %n %l\\n' | LC_ALL=C sort > ../t.list
        cmp ../t.list ../estargz.list && cmp ../t.list ../zstd.list
        """
      let said = try await Shell().succeed(script, seconds: 300)
      #expect(said.components(separatedBy: "complete (2/2)").count == 3, "\(said)")
    }
  }

  @Test func `what cannot be converted says so and leaves nothing behind`() async throws {
    try await withTemporaryDirectory { directory in
      let file = "\(directory)/bad.tar"
      try Data("not an image".utf8).write(to: URL(fileURLWithPath: file))
      for command in ["convert", "inspect"] {
        let result = await CommandRunner()("image", command, file)
        #expect(result.code == 1)
        #expect(result.error.contains("this is not a tar archive"))
      }
      let missing = await CommandRunner()("image", "inspect", "\(directory)/none.tar")
      #expect(missing.code == 1 && missing.error.contains("No such file"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["bad.tar"])
    }
  }
}
