import LayerStore
import PlatformHarness
import TestSupport
import Testing

@testable import LazyImages

/// What programs do with files of a lazy image, beside what comes of it on containerd's overlayfs.
@Suite(.serialized) struct FileOperationTests {
  private static let layers = [
    "head -c 300001 /dev/zero | openssl enc -aes-128-ctr -nosalt -K 01 -iv 00 2>/dev/null > data; ln data link",
    "mkdir dir; echo inner > dir/inner",
  ]

  /// Differences that the kernel makes: EROFS has no direct reads where its device is a file, and files of two file systems are not
  /// copied by it; it has no flags.
  private static let kernels = [
    "O_DIRECT at the start EINVAL", "O_DIRECT in the middle EINVAL", "O_DIRECT over the end EINVAL",
    "O_DIRECT behind the end EINVAL", "copy_file_range EXDEV", "FS_IOC_GETFLAGS ENOTTY", "FS_IOC_FSGETXATTR ENOTTY",
  ]

  private func tries(_ image: String, _ snapshotter: String, _ containerd: ContainerdFixture) async throws -> [String] {
    let target = "\(containerd.directory)/files-\(snapshotter)-\(UInt32.random(in: 0 ... .max))"
    return try await containerd.shell.succeed(
      """
      mkdir \(target)
      ctr images mount --rw --snapshotter \(snapshotter) \(containerd.registry)/\(image) \(target) >/dev/null
      python3 '\(PlatformInstance.root)/scripts/try-files' \(target)
      ctr images unmount --rm --snapshotter \(snapshotter) \(target) >/dev/null
      """, seconds: 120
    ).split(separator: "\n").map(String.init)
  }

  @Test(arguments: [FillChoice.fuse, .fanotify], [ImageKind.gzip, .eStargz])
  func `programs get what they get on overlayfs`(fill: FillChoice, kind: ImageKind) async throws {
    try await ImagesDaemon.with(options: "--fill \(fill.rawValue)") { daemon in
      try await ContainerdFixture.with(tables: daemon.tables) { containerd in
        try await containerd.push(kind, "box:1", Self.layers, daemon)
        for snapshotter in ["nagaya", "overlayfs"] { try await containerd.pull("box:1", snapshotter: snapshotter) }
        let (ours, theirs) = (
          try await tries("box:1", "nagaya", containerd), try await tries("box:1", "overlayfs", containerd)
        )
        #expect(ours.count == theirs.count && ours.count > 30)
        for (our, their) in zip(ours, theirs) where our != their {
          #expect(Self.kernels.contains(our), "\(our), on overlayfs: \(their)")
        }
      }
    }
  }
}
