import EROFS
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Many containers at once, one page cache for all of them, removal and a full disk while layers are filled.
@Suite(.serialized) struct ScaleTests {
  private func with(
    options: String = "", diskBytes: Int? = nil,
    _ body: @Sendable (ContainerdFixture, ImagesDaemon) async throws -> Void
  ) async throws {
    try await ImagesDaemon.with(options: options, diskBytes: diskBytes) { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in try await body(containerd, daemon) }
    }
  }

  @Test func `two hundred containers of one image start at once`() async throws {
    // Nothing comes by itself: they all ask for the same bytes.
    try await with(options: "--background-rate 1Ki") { containerd, daemon in
      try await RuntimeClient.with(containerd) { client in
        let image = "\(containerd.registry)/box:1"
        try await containerd.push(
          .eStargz, "box:1",
          ["mkdir a && echo one > a/one && head -c 300000 /dev/urandom > a/noise", "echo two > two"], daemon)
        try await client.pull(image)
        let pods = [try await client.runPod("first"), try await client.runPod("second")]
        let names = (0..<200).map { "c\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
          for (index, name) in names.enumerated() {
            group.addTask {
              _ = try await client.start(name, in: pods[index % 2], image: image, ["/a/one", "/two", "/a/one"])
            }
          }
          try await group.waitForAll()
        }
        // However long a busy machine takes for so many processes: all of them run, and none fails.
        let isOver = try await eventually(within: .seconds(240)) { try await client.ended().count == names.count }
        let ended = try await client.ended()
        #expect(
          isOver && ended.values.allSatisfy { $0 == 0 }, "\(ended.count) ended: \(ended.filter { $0.value != 0 })")
        #expect(names.filter { client.output(of: $0) != ["one", "two", "one"] } == [])
        // However many read it, nothing is fetched twice.
        #expect(try await daemon.metric("nagaya_images_fetched_bytes_total") < 2_000_000)
        #expect(try await daemon.metric("nagaya_images_failed_reads_total") == 0)
        for pod in pods { try await client.remove(pod) }
        for image in [image, "\(containerd.registry)/pause:1"] { try await client.remove(image: image) }
        #expect(try await eventually { try Directory.names(in: "\(daemon.root)/snapshots/s").isEmpty })
      }
    }
  }

  /// Pages of a file that the page cache holds, seen through the root file systems of several processes.
  private func residentPages(_ file: String, of processes: [String]) async throws -> [Int] {
    let script = """
      import ctypes, mmap, os, sys
      libc = ctypes.CDLL(None, use_errno=True)
      libc.mmap.restype = ctypes.c_void_p
      libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
      libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
      for path in sys.argv[1:]:
          file = os.open(path, os.O_RDONLY)
          size = os.fstat(file).st_size
          pages = ctypes.create_string_buffer((size + 4095) // 4096)
          address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
          if libc.mincore(address, size, pages): raise OSError(ctypes.get_errno())
          print(sum(page & 1 for page in pages.raw))
      """
    let paths = processes.map { "/proc/\($0)/root/\(file)" }.joined(separator: " ")
    return try await Shell().succeed("python3 -c '\(script)' \(paths)").split(separator: "\n").compactMap { Int($0) }
  }

  @Test(arguments: [ImageKind.eStargz, .gzip]) func `eight containers of one image share one page cache`(
    _ kind: ImageKind
  ) async throws {
    try await with { containerd, daemon in
      let (megabytes, pages) = (32, 32 * 256)
      try await containerd.push(
        kind, "box:1", ["echo small > small", "head -c \(megabytes)M /dev/urandom > big"], daemon)
      try await containerd.pull("box:1")
      let names = (0..<8).map { "c\($0)" }
      try await containerd.shell.succeed(
        """
        for c in \(names.joined(separator: " "))
        do ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 $c /app wait; done
        """, seconds: 120)
      let processes = try await containerd.shell.succeed(
        "for c in \(names.joined(separator: " ")); do ctr tasks list | awk -v c=$c '$1 == c {print $2}'; done"
      ).split(separator: "\n").map(String.init)
      #expect(Set(processes).count == 8)
      let roots = processes.map { "/proc/\($0)/root/big" }
      let digests = Set(try await Shell().succeed("sha256sum < \(roots[0])", seconds: 120).split(separator: "\n"))
      // What one of them has read is there for all, and what is dropped through one is gone for all: it is the same.
      // (Whoever else drops the machine's caches meanwhile makes it be read again.)
      var seen: [Int] = []
      func all(_ change: String, _ expected: (Int) -> Bool) async throws -> Bool {
        try await eventually(within: .seconds(60)) {
          try await Shell().succeed(change)
          seen = try await residentPages("big", of: processes)
          return Set(seen).count == 1 && seen.allSatisfy(expected)
        }
      }
      let drop = "python3 -c 'import os; os.posix_fadvise(os.open(\"\(roots[7])\", 0), 0, 0, os.POSIX_FADV_DONTNEED)'"
      #expect(try await all("cat \(roots[0]) > /dev/null") { $0 == pages }, "\(seen)")
      #expect(try await all(drop) { $0 < pages / 100 }, "\(seen)")
      let some = "\(drop) && head -c 8M \(roots[3]) > /dev/null"
      #expect(try await all(some) { $0 >= 8 * 256 && $0 < pages / 2 }, "\(seen)")
      let others = Set(
        try await Shell().succeed("for r in \(roots.joined(separator: " ")); do sha256sum < $r; done", seconds: 120)
          .split(separator: "\n"))
      #expect(others == digests && digests.count == 1)
      try await containerd.shell.succeed(
        """
        for c in \(names.joined(separator: " "))
        do ctr tasks kill -s KILL $c; ctr tasks delete -f $c; ctr containers delete $c; done
        """, seconds: 120)
    }
  }

  @Test func `an image is removed while its layers are filled`() async throws {
    // Far slower than the test: the fill never ends by itself.
    try await with(options: "--background-rate 200Ki") { containerd, daemon in
      let layers = ["echo small > small", "head -c 24M /dev/urandom > big"]
      try await containerd.push(.eStargz, "box:1", layers, daemon)
      for round in 0..<3 {
        try await containerd.pull("box:1")
        #expect(try await containerd.run("box:1", "/small") == "small\n")
        // The second time a container reads when its image is removed, the third time it waits for the registry.
        if round > 0 {
          if round == 2 { try await containerd.shell.succeed("kill -STOP $(cat \(containerd.directory)/registry.pid)") }
          try await containerd.shell.succeed(
            """
            ctr run -d --snapshotter nagaya \(containerd.registry)/box:1 reads /app wait
            cd \(containerd.directory); cat /proc/$(ctr tasks list | awk '$1 == "reads" {print $2}')/root/big > copy &
            echo $! > reader.pid
            """)
        }
        try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/box:1")
        if round > 0 {
          let reads = try Directory.names(in: "\(daemon.root)/snapshots/s")
          #expect(!reads.isEmpty, "a container keeps its image")
          try await containerd.shell.succeed(
            """
            kill -9 $(cat \(containerd.directory)/reader.pid)
            ctr tasks kill -s KILL reads; ctr tasks delete -f reads; ctr containers delete reads
            kill -CONT $(cat \(containerd.directory)/registry.pid); rm \(containerd.directory)/reader.pid
            """, seconds: 30)
        }
        #expect(try await eventually { try Directory.names(in: "\(daemon.root)/snapshots/s").isEmpty })
        #expect(
          try await eventually {
            try Mounts.table().mounts(under: daemon.directory).allSatisfy { $0.fileSystemType != "erofs" }
          })
        let collected = try await daemon.shell.succeed("nagaya image gc --root \(daemon.root) --run \(daemon.run)")
        #expect(!collected.contains("error"))
        let left = try await daemon.shell.succeed("du -sk \(daemon.root)/layers | cut -f 1")
        #expect((Int(left.prefix { $0 != "\n" }) ?? .max) < 4096, "\(left) KiB of a removed image stayed")
      }
      try await containerd.pull("box:1")
      try await containerd.pull("box:1", snapshotter: "overlayfs")
      let (ours, theirs) = (
        try await containerd.files(of: "box:1", snapshotter: "nagaya"),
        try await containerd.files(of: "box:1", snapshotter: "overlayfs")
      )
      #expect(Set(ours) == PullTests.withoutMarks(theirs))
    }
  }

  private func freeMegabytes(_ daemon: ImagesDaemon) async throws -> Int {
    let free = try await Shell().succeed("df --output=avail -m \(daemon.root) | tail -n 1")
    return Int(free.filter(\.isNumber)) ?? 0
  }

  @Test func `a disk that fills up during a pull fails the pull, and takes nothing with it`() async throws {
    try await with(diskBytes: 48 << 20) { containerd, daemon in
      try await containerd.push("small:1", ["echo small > small"], compression: .gzip)
      try await containerd.push("box:1", ["head -c 64M /dev/urandom > big"], compression: .gzip)
      try await containerd.push(.eStargz, "lazy:1", ["head -c 64M /dev/urandom > big", "echo lazy > lazy"], daemon)
      try await containerd.pull("small:1")
      let image = "\(containerd.registry)/box:1"
      let pulled = try await containerd.shell(
        "ctr images pull --plain-http --snapshotter nagaya \(image)", seconds: 120)
      #expect(!pulled.succeeded && "\(pulled)".contains("no space left"), "\(pulled)")
      _ = try await containerd.shell("ctr images remove --sync \(image); ctr content prune references")
      // Whatever had come of it has gone again.
      #expect(try await eventually { try await freeMegabytes(daemon) > 30 })
      #expect(try await containerd.run("small:1", "/small") == "small\n")
      // A lazy image starts where it would not fit; what is on the disk goes on being read.
      try await containerd.pull("lazy:1")
      for name in ["lazy", "small"] {
        try await containerd.shell.succeed(
          "ctr run -d --snapshotter nagaya \(containerd.registry)/\(name):1 \(name) /app wait")
      }
      // What nobody waits for leaves some of the disk to what somebody does.
      #expect(try await eventually { try await freeMegabytes(daemon) < 12 })
      for name in ["lazy", "small"] {
        #expect(try await containerd.shell.succeed("ctr tasks exec --exec-id e1 \(name) /app /\(name)") == "\(name)\n")
        try await containerd.shell.succeed(
          "ctr tasks kill -s KILL \(name); ctr tasks delete -f \(name); ctr containers delete \(name)")
      }
      try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/lazy:1")
      // As soon as the layer is unmounted.
      var collected = ""
      let isFree = try await eventually {
        collected += try await daemon.shell.succeed(
          "nagaya image gc --root \(daemon.root) --run \(daemon.run); mount | grep -c erofs; df -k \(daemon.root)")
        return try await freeMegabytes(daemon) > 30
      }
      let files = try await Shell()(
        "du -ak \(daemon.root) | sort -n | tail -n 3; tail -n 40 \(daemon.directory)/log | cut -c1-300")
      #expect(isFree, "\(collected)\(files.out)")
    }
  }
}
