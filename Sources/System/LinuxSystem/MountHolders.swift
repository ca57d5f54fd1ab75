#if canImport(Glibc)
  import Glibc
#endif

/// A process in whose mount namespace a device is mounted.
public struct MountHolder: Sendable, Hashable, CustomStringConvertible {
  public let process: Int32
  /// The name the process goes by (`/proc/PID/comm`).
  public let command: String
  public let mountPoint: String

  public var description: String { "process \(process) (\(command)) has it mounted at \(mountPoint)" }
}

extension Mounts {
  /// One process of each mount namespace but the caller's that has the block device mounted.
  ///
  /// A namespace keeps its copy of a mount when the mount was private there, as in a container that was cut off
  /// before its first instruction. Processes that end meanwhile are passed over.
  public static func holders(ofDevice major: UInt32, _ minor: UInt32) -> [MountHolder] {
    guard let names = try? Directory.names(in: "/proc") else { return [] }
    var seen: Set<String> = []
    if let own = namespace(of: "self") { seen.insert(own) }
    var holders: [MountHolder] = []
    for name in names {
      guard let process = Int32(name), let namespace = namespace(of: name), seen.insert(namespace).inserted,
        let bytes = try? DurableFile.read("/proc/\(name)/mountinfo", limit: MountTable.limit),
        let mount = (try? MountTable(parsing: bytes))?.mounts(ofDevice: major, minor).first
      else { continue }
      let command = (try? DurableFile.read("/proc/\(name)/comm", limit: 64)) ?? []
      holders.append(
        MountHolder(
          process: process, command: String(decoding: command.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self),
          mountPoint: mount.mountPoint))
    }
    return holders
  }

  private static func namespace(of process: String) -> String? {
    let text = [CChar](unsafeUninitializedCapacity: 64) { buffer, count in
      guard let start = buffer.baseAddress else { return }
      count = max(0, readlink("/proc/\(process)/ns/mnt", start, buffer.count))
    }
    return text.isEmpty ? nil : String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
