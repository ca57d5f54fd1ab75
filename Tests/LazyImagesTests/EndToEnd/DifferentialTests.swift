import Foundation
import LinuxSystem
import OCI
import PlatformHarness
import Synchronization
import TestSupport
import Testing

@testable import LazyImages

/// Random images, each unpacked by containerd's overlayfs and mounted by us, in three formats.
@Suite(.serialized) struct DifferentialTests {
  /// Writes layer `index` of the image `seed` to `../archive`: every dialect of tar, members in any order, names as archivers
  /// spell them, types that change, whiteouts, repeated members, directories that are only implied.
  private static func layer(_ index: Int, of seed: Int) -> String {
    """
    python3 - \(seed) \(index) <<'P'
    import io, random, sys, tarfile
    seed, wanted = int(sys.argv[1]), int(sys.argv[2])
    r = random.Random(seed)
    below = {}                      # what lower layers show: path -> kind

    def parents(path):
        parts = path.split("/")[:-1]
        return ["/".join(parts[:n + 1]) for n in range(len(parts))]

    def spelled(path):
        return r.choice([path, path, path, "./" + path, "/" + path, "x/../" + path, path.replace("/", "//")])

    def attributes(kind):
        pax = {}
        if kind in ("file", "dir") and r.random() < .2: pax["SCHILY.xattr.user.a" + str(r.randrange(3))] = "v" * r.randrange(40)
        if r.random() < .05: pax["SCHILY.xattr.trusted.t"] = "1"
        mode = r.choice([0o755, 0o700, 0o644, 0o1777, 0o4755, 0o2750])
        time = r.choice([0, 1, 1600000000, 1600000000, r.randrange(2**33 - 1), 2**35])
        return mode, r.choice([0, 0, 1000, 2**21 + 5]), r.choice([0, 0, 1000]), time, pax

    for layer in range(wanted + 1):
        style = r.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.PAX_FORMAT])
        members, own, hidden = [], {}, set()
        for _ in range(r.randrange(1, 30)):
            directories = [p for p, k in list(below.items()) + list(own.items()) if k == "dir" and own.get(p, "dir") == "dir"]
            parent = r.choice([""] + directories) if directories else ""
            known = [p for p in below if p not in own]
            if known and r.random() < .35: path = r.choice(known)
            else: path = (parent + "/" if parent else "") + r.choice(["a", "b", "c", "deep/er", "d" * 120, "n" + str(r.randrange(9))])
            # containerd unpacks nothing below what is no directory, nor below its own whiteouts.
            if any(own.get(p, "dir") != "dir" or p in hidden or below.get(p, "dir") != "dir" and own.get(p) != "dir" for p in parents(path)): continue
            roll = r.random()
            if roll < .12:
                if path in below and path not in own and not any(o.startswith(path + "/") for o in own):
                    head, _, tail = path.rpartition("/")
                    members.append(((head + "/" if head else "") + ".wh." + tail, "file", "", b"")); hidden.add(path)
                    for p in parents(path): own.setdefault(p, "dir")
                continue
            if roll < .15:
                if below.get(path) == "dir" and own.get(path, "dir") == "dir" and path not in hidden:
                    members.append((path + "/.wh..wh..opq", "file", "", b""))
                    for p in parents(path) + [path]: own.setdefault(p, "dir")
                continue
            if path in hidden: continue
            kind = r.choice(["file"] * 4 + ["dir"] * 4 + ["sym", "hard", "fifo", "char", "block"])
            content = bytes(r.randrange(256) for _ in range(r.choice([0, 1, 511, 512, 513, 5000]))) if kind == "file" else b""
            link = ""
            if kind == "sym": link = r.choice(["a", "/b", "../c", "nowhere"])
            if kind == "hard":
                targets = [p for p, k in own.items() if k == "file" and p != path]
                if not targets: continue
                link = r.choice(targets)
            if own.get(path) == "dir" and kind != "dir": own = {p: k for p, k in own.items() if not p.startswith(path + "/")}
            members.append((path, kind, link, content))
            own[path] = "file" if kind == "hard" else kind
            for p in parents(path): own.setdefault(p, "dir")
        target = io.BytesIO() if layer < wanted else open("../archive", "wb")
        out = tarfile.open(fileobj=target, mode="w", format=style)
        types = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE,
                 "fifo": tarfile.FIFOTYPE, "char": tarfile.CHRTYPE, "block": tarfile.BLKTYPE}
        for path, kind, link, content in members:
            info = tarfile.TarInfo(spelled(path))
            info.type, info.linkname, info.size = types[kind], link, len(content)
            info.mode, info.uid, info.gid, info.mtime, pax = attributes(kind)
            if style != tarfile.PAX_FORMAT: info.uid, info.mtime = info.uid % 2**18, min(info.mtime, 2**33 - 1)
            else: info.pax_headers = pax
            if kind in ("char", "block"): info.devmajor, info.devminor = r.randrange(1, 200), r.randrange(200)
            try: out.addfile(info, io.BytesIO(content))
            except ValueError: pass     # a name that this dialect can't hold
        end, cut = out.offset, r.random() < .2
        out.close()
        if layer == wanted:
            if cut: target.truncate(end)    # without blocks that mark the end
            target.close()
        gone = set(hidden)
        for path, kind, link, content in members:
            if kind != "dir" and path in below: gone.add(path)
        below = {p: k for p, k in below.items() if p not in gone and not any(q in gone for q in parents(p))}
        for p, k in own.items(): below[p] = k
    P
    """
  }

  /// `NAGAYA_FUZZ_IMAGES=N` and `NAGAYA_FUZZ_SEED=S`: images `S` to `S + N - 1`.
  private static func setting(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? usual
  }

  @Test func `random images look as overlayfs shows them`() async throws {
    let (count, first) = (Self.setting("NAGAYA_FUZZ_IMAGES", 6), Self.setting("NAGAYA_FUZZ_SEED", 1))
    let compared = Counter()
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        for seed in first..<first + count {
          let layers = (0..<1 + seed % 4).map { Self.layer($0, of: seed) }
          for kind in [ImageKind.gzip, .eStargz, .zstdChunked] {
            let image = "box:\(seed)-\(kind == .gzip ? "g" : kind == .eStargz ? "e" : "z")"
            try await containerd.push(kind, image, layers, daemon)
            // What overlayfs refuses is no image.
            guard (try? await containerd.pull(image, snapshotter: "overlayfs")) != nil else { continue }
            try await containerd.pull(image)
            func files(_ snapshotter: String) async throws -> Set<String> {
              PullTests.withoutMarks(
                try await containerd.files(
                  of: image, snapshotter: snapshotter, options: "--rw", timesOfDirectories: false))
            }
            let differences = try await files("nagaya").symmetricDifference(try await files("overlayfs")).sorted()
            compared.add(differences.count)
            #expect(differences.isEmpty, "seed \(seed), \(kind.rawValue): \(differences)")
            for snapshotter in ["nagaya", "overlayfs"] where !differences.isEmpty {
              print(snapshotter, try await files(snapshotter).sorted().joined(separator: "\n"))
            }
            try await containerd.shell.succeed("ctr images remove --sync \(containerd.registry)/\(image)")
          }
        }
      }
    }
    figure("differential.images", compared.comparisons, "count")
    figure("differential.differences", compared.differences, "count")
    #expect(compared.comparisons > count)
  }
}

/// Written by one task at a time.
private final class Counter: Sendable {
  private let state = Mutex((comparisons: 0, differences: 0))
  var comparisons: Int { state.withLock { $0.comparisons } }
  var differences: Int { state.withLock { $0.differences } }
  func add(_ differences: Int) {
    state.withLock {
      $0.comparisons += 1
      $0.differences += differences
    }
  }
}
