import Glibc

/// One call of mount(2), as containerd makes it.
struct SnapshotMount: Sendable, Hashable {
  var type: String
  var source: String
  /// As in fstab(5), one word each.
  var options: [String]
}

/// How a snapshot is mounted: overlay and bind mounts only, which need nobody but the kernel. (containerd's image
/// volumes mount without its mount manager.)
enum SnapshotMounts {
  /// - Parameters:
  ///   - files: the snapshot's own directory.
  ///   - work: overlayfs' own directory beside it.
  ///   - lowers: directories of the snapshots below it, topmost first.
  ///   - hasLayers: whether some of them are lazily loaded layers, on file systems of their own.
  static func make(
    _ kind: SnapshotKind, files: String, work: String, lowers: [String], hasLayers: Bool, mappings: IDMappings?
  ) -> [SnapshotMount] {
    let mapped = mappings?.options ?? []
    func bind(_ source: String, _ access: String) -> [SnapshotMount] {
      [SnapshotMount(type: "bind", source: source, options: mapped + [access, "rbind"])]
    }
    guard !lowers.isEmpty else { return bind(files, kind == .active ? "rw" : "ro") }
    if kind != .active, lowers.count == 1 { return bind(lowers[0], "ro") }
    var options = mapped
    if kind == .active { options += ["workdir=\(work)", "upperdir=\(files)"] }
    options.append("lowerdir=\(lowers.joined(separator: ":"))")
    // The index would refuse lower directories that other overlays have, too.
    if access("/sys/module/overlay/parameters/index", F_OK) == 0 { options.append("index=off") }
    // Files of all file systems get one device number and inode numbers that last, as they do where all layers are
    // directories of one file system; else `tar --one-file-system` in a container would leave files out.
    if hasLayers { options.append("xino=auto") }
    return [SnapshotMount(type: "overlay", source: "overlay", options: options)]
  }
}
