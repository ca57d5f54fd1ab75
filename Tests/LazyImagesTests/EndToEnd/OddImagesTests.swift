import Foundation
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// Images that are not as most are: whatever containerd's overlayfs makes of one, ours shows the same.
@Suite(.serialized) struct OddImagesTests {
  /// Writes `../archive` by Python's tarfile; `member` adds one.
  private static func archive(_ body: String, end: String = "out.close()") -> String {
    """
    python3 - <<'P'
    import io, tarfile
    out = tarfile.open("../archive", "w", format=tarfile.PAX_FORMAT)
    def member(name, kind=tarfile.REGTYPE, content=b"", link="", mode=0o644, uid=0, gid=0, time=1600000000, device=(0, 0), **pax):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.mtime, info.linkname = kind, mode, uid, gid, time, link
        info.devmajor, info.devminor = device
        info.size = len(content)
        info.pax_headers = {key.replace("__", "."): value for key, value in pax.items()}
        out.addfile(info, io.BytesIO(content))
    def directory(name, mode=0o755, **more): member(name, tarfile.DIRTYPE, mode=mode, **more)
    \(body)
    \(end)
    P
    """
  }

  private static let base = """
    mkdir -p home/me tmp etc/deep/er gone old && chmod 1777 tmp && chmod 700 home/me && chown 1000:1000 home/me
    echo 1 > etc/one && echo 1 > gone/x && echo 1 > old/x && echo 1 > etc/deep/er/x && chmod 750 etc/deep
    setfattr -n user.note -v hi etc/deep; find . -exec touch -h -d @1600000000 {} +
    """

  struct Case: Sendable, CustomStringConvertible {
    let description: String
    let layers: [String]
    /// containerd gives implied directories the time of unpacking, or that of the layer below.
    var timesOfDirectories = true
  }

  static let cases = [
    Case(
      description: "names that are cleaned",
      layers: [
        base,
        archive(
          """
          directory("/"); directory("./"); member("/ko-app/x", content=b"ko"); member("a/../b", content=b"b")
          member("/q", content=b"q"); member("hard", tarfile.LNKTYPE, link="/q"); member("./c//./d", content=b"d")
          member("etc/../etc/deep/../two", content=b"2")
          """),
      ], timesOfDirectories: false),
    Case(
      description: "a layer several times",
      layers: [base, "true", "echo 2 > etc/one; touch -d @5 etc etc/one", "true", base]),
    Case(description: "one layer twice", layers: [base, base]),
    Case(
      description: "no blocks at the end",
      layers: [
        base, archive(#"member("x", content=b"x" * 700)"#, end: "out.fileobj.flush()"),
        base + "; echo 3 > last; touch -d @7 last .",
      ]),
    Case(
      description: "no bytes",
      layers: [base, ": > ../archive", "echo 3 > last; touch -d @7 last", "head -c 1024 /dev/zero > ../archive"]),
    Case(
      description: "whiteouts in the lowest layer",
      layers: [
        archive(
          #"directory("d"); member("d/.wh.x"); member(".wh.y"); member("d/.wh..wh..opq"); member("d/z", content=b"z")"#)
      ]),
    Case(
      description: "whiteouts of everything",
      layers: [
        base,
        archive(
          """
          member(".wh.gone"); member("old/.wh..wh..opq"); member("old/new", content=b"n"); directory("old")
          member("etc/.wh.one"); directory("etc"); member(".wh..wh.plnk")
          """),
        archive(#"directory("gone"); member("gone/again", content=b"g"); member("etc/one", content=b"1")"#),
      ], timesOfDirectories: false),
    Case(
      description: "a directory in a whiteout's place",
      layers: [base, archive(#"member(".wh.gone"); directory("gone"); member("gone/y", content=b"y")"#)]),
    Case(
      description: "types that change, members that repeat",
      layers: [
        base,
        archive(
          """
          member("etc/one", tarfile.SYMTYPE, link="two"); member("gone", content=b"file now"); directory("old")
          member("r", content=b"1"); member("r", content=b"22"); directory("r"); member("r/x", content=b"x")
          member("dev", tarfile.CHRTYPE, device=(1, 3)); member("blk", tarfile.BLKTYPE, device=(8, 259)); member("p", tarfile.FIFOTYPE)
          """),
      ], timesOfDirectories: false),
    Case(
      description: "hard links' own attributes",
      layers: [
        base,
        archive(
          """
          member("f", content=b"f", mode=0o600, uid=1, gid=1, SCHILY__xattr__user__a="1")
          member("g", tarfile.LNKTYPE, link="f", mode=0o755, uid=2, gid=3, time=1500000000, SCHILY__xattr__user__b="2")
          member("s", tarfile.SYMTYPE, link="f"); member("t", tarfile.LNKTYPE, link="s", uid=7)
          """),
      ]),
    Case(
      description: "the root's attributes, administrators' attributes, odd times",
      layers: [
        base,
        archive(
          """
          directory("./", mode=0o700, uid=5, gid=6, SCHILY__xattr__user__root="x")
          member("t", content=b"t", SCHILY__xattr__trusted__x="1", SCHILY__xattr__user__y="2", SCHILY__xattr__user__overlay__z="3")
          member("link", tarfile.SYMTYPE, link="t", SCHILY__xattr__user__y="2")
          for name, time in [("neg", -5), ("half", 5.25), ("far", 9223372036), ("farther", 9223372037), ("farthest", 2**40)]:
              member(name, time=time)
          """),
      ]),
    Case(
      description: "directories that are only implied",
      layers: [
        base,
        archive(
          #"member("tmp/x", content=b"x"); member("home/me/y", content=b"y"); member("etc/deep/er/z", content=b"z"); member("new/dir/x")"#
        ),
        archive(#"directory("etc", mode=0o711); member("etc/deep/w", content=b"w"); member("home/me/.wh.y")"#),
      ], timesOfDirectories: false),
    Case(
      description: "names that are not UTF-8",
      layers: [
        base,
        "echo x > $'latin-\\xe9'; ln -s $'to-\\xe9' link; ln $'latin-\\xe9' other; find . -exec touch -h -d @9 {} +",
      ]),
  ]

  @Test(arguments: [ImageKind.gzip, .eStargzOfStargz])
  func `odd images look as overlayfs shows them`(_ kind: ImageKind) async throws {
    try await ImagesDaemon.with { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        var seen = 0
        for (index, example) in Self.cases.enumerated() {
          let image = "box:\(index)"
          do { try await containerd.push(kind, image, example.layers, daemon) } catch {
            // Not every tool can convert every image.
            try #require(kind.isLazyAtOnce, "\(example): \(error)")
            continue
          }
          seen += 1
          try await containerd.pull(image, snapshotter: "overlayfs")
          do { try await containerd.pull(image) } catch {
            Issue.record("\(example), \(kind.rawValue): \(error)")
            continue
          }
          for options in ["--rw", ""] {
            func files(_ snapshotter: String) async throws -> [String] {
              try await containerd.files(
                of: image, snapshotter: snapshotter, options: options, timesOfDirectories: example.timesOfDirectories)
            }
            let (ours, theirs) = (try await files("nagaya"), try await files("overlayfs"))
            // A layer that was left to containerd has its format's marks with us, too.
            let differences = PullTests.withoutMarks(ours).symmetricDifference(PullTests.withoutMarks(theirs)).sorted()
            #expect(differences.isEmpty, "\(example), \(kind.rawValue) \(options): \(differences)")
          }
        }
        #expect(seen > Self.cases.count / 2)
      }
    }
  }
}
