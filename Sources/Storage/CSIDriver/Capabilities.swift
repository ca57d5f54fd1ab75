import CSI
import GRPCCore
import VolumePools

/// How a volume is wanted: with a file system or raw.
enum AccessType: Sendable, Hashable {
  case block
  case mount(FileSystemType, flags: [String])

  var fileSystem: FileSystemType? {
    if case .mount(let type, _) = self { return type }
    return nil
  }

  /// Checks one capability.
  init(_ capability: Csi_V1_VolumeCapability) throws(RPCError) {
    switch capability.accessMode.mode {
    case .singleNodeWriter, .singleNodeReaderOnly, .singleNodeSingleWriter, .singleNodeMultiWriter: break
    case .unknown: throw .missing("volume_capability.access_mode")
    default:
      throw .invalid(
        "access mode \(capability.accessMode.mode) is not offered: local volumes are used on one node; use ReadWriteOnce or ReadWriteOncePod"
      )
    }
    switch capability.accessType {
    case .block: self = .block
    case .mount(let mount):
      guard mount.volumeMountGroup.isEmpty else { throw .invalid("volume_mount_group is not offered; leave it empty") }
      let name = mount.fsType.isEmpty ? FileSystemType.xfs.rawValue : mount.fsType
      guard let type = FileSystemType(rawValue: name) else {
        throw .invalid("file system \"\(name.prefix(32))\" is not offered; use xfs or ext4")
      }
      guard mount.mountFlags.count <= 64, mount.mountFlags.allSatisfy({ $0.utf8.count <= 256 && !$0.utf8.contains(0) })
      else { throw .invalid("more than 64 mount flags, or one of more than 256 bytes; use fewer") }
      self = .mount(type, flags: mount.mountFlags)
    case nil: throw .missing("volume_capability.access_type (block or mount)")
    }
  }

  /// Checks all capabilities of a volume, which must agree.
  static func common(_ capabilities: [Csi_V1_VolumeCapability]) throws(RPCError) -> AccessType {
    guard let first = capabilities.first else { throw .missing("volume_capabilities") }
    let type = try AccessType(first)
    for capability in capabilities.dropFirst() {
      guard try AccessType(capability).fileSystem == type.fileSystem else {
        throw .invalid("volume_capabilities ask for block and mount, or for two file systems; ask for one")
      }
    }
    return type
  }
}
