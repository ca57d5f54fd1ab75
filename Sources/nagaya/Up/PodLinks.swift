import Foundation
import LinuxSystem

/// The links of pods that are up on this machine, as its routes tell: one to each pod's address.
enum PodLinks {
  /// Interfaces behind which a pod with an address of the block is.
  static func present(in block: IPv4Block, routes path: String = "/proc/net/route") -> [String] {
    // Columns of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …; numbers in host byte order.
    (SmallFile.text(path) ?? "").split(separator: "\n").dropFirst().compactMap { line in
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count > 7, words[7] == "FFFFFFFF", let raw = UInt32(words[1], radix: 16),
        block.contains(UInt32(bigEndian: raw))
      else { return nil }
      return String(words[0])
    }
  }
}
