import Foundation
import PlatformHarness

/// The commands that a volume cannot do without, as somebody would type them: what a driver's time is measured against.
struct BareVolumes: Sendable {
  let backend: StorageBackend
  let directory: String
  let shell = Shell()

  /// Makes, formats and mounts `count` volumes at once.
  /// - Returns: seconds, without bash's own start.
  func make(_ names: [String], bytes: Int64) async throws -> Double {
    let script = """
      set -e
      one() {
        \(making(bytes: bytes))
        mkfs.xfs -q -f -K "$device"
        mkdir -p "staging/$1" "target/$1"
        mount -t xfs -o nouuid "$device" "staging/$1"
        mount --bind "staging/$1" "target/$1"
      }
      mkdir -p \(directory)/bare && cd \(directory)/bare
      begin=$(date +%s%N)
      for name in \(names.joined(separator: " ")); do one $name & made+=($!); done
      for pid in "${made[@]}"; do wait $pid; done
      end=$(date +%s%N)
      echo $((end - begin))
      """
    let text = try await shell.succeed(script, seconds: 600)
    guard let nanoseconds = Double(text.split(separator: "\n").last ?? "") else {
      throw Problem("the bare commands said no time: \(text.prefix(200))")
    }
    return nanoseconds / 1e9
  }

  func remove(_ names: [String]) async throws {
    let script = """
      set -e
      cd \(directory)/bare
      for name in \(names.joined(separator: " ")); do
        umount "target/$name" "staging/$name"
        \(removing)
      done
      """
    try await shell.succeed(script, seconds: 600)
  }

  /// Sets `device`.
  private func making(bytes: Int64) -> String {
    switch backend {
    case .file: "truncate -s \(bytes) \"$1.img\"; device=$(losetup --find --show --direct-io=on \"$1.img\")"
    case .lvmThick:
      "lvcreate -q -y -n \"bare-$1\" -L \(bytes)b \(StorageBackend.group) >/dev/null; device=/dev/\(StorageBackend.group)/bare-$1"
    case .lvmThin:
      "lvcreate -q -y -n \"bare-$1\" -V \(bytes)b --thinpool \(StorageBackend.thinPool) \(StorageBackend.group) >/dev/null; device=/dev/\(StorageBackend.group)/bare-$1"
    }
  }

  private var removing: String {
    switch backend {
    case .file: "losetup -d $(losetup -j \"$name.img\" -n -O NAME) && rm \"$name.img\""
    case .lvmThick, .lvmThin: "lvremove -q -y \(StorageBackend.group)/bare-$name >/dev/null"
    }
  }
}
