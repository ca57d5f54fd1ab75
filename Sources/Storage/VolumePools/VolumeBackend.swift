/// What a new volume shall be.
public struct VolumeRequest: Sendable, Hashable {
  /// Also the volume's identity: asking twice for the same name is asking once.
  public var name: String
  /// The size is rounded up to 4096 bytes and to the file system's minimum.
  public var bytes: Int64
  /// 0: no bound. The rounded size must not exceed it.
  public var limitBytes: Int64
  /// `nil`: a raw block device.
  public var fileSystem: FileSystemType?
  /// What the owner said about it; kept, and compared when the name is asked for again.
  public var parameters: [String: String]
  /// What it begins with, of the same pool; `nil`: empty. Without a size (0) it gets the source's.
  public var source: VolumeSource?

  public init(
    name: String, bytes: Int64, limitBytes: Int64 = 0, fileSystem: FileSystemType? = nil,
    parameters: [String: String] = [:], source: VolumeSource? = nil
  ) {
    self.name = name
    self.bytes = bytes
    self.limitBytes = limitBytes
    self.fileSystem = fileSystem
    self.parameters = parameters
    self.source = source
  }
}

/// A volume as the pool knows it.
public struct Volume: Sendable, Hashable {
  public let name: String
  public let bytes: Int64
  public let fileSystem: FileSystemType?
  public let parameters: [String: String]
  /// What it began with.
  public let source: VolumeSource?
  /// What is wrong with it, for people; `nil` if nothing is.
  public let fault: String?
}

/// The space of a pool, in bytes.
public struct PoolCapacity: Sendable, Hashable {
  /// What volumes may take together.
  public let totalBytes: Int64
  /// What is promised to volumes and snapshots.
  public let allocatedBytes: Int64
  /// What new volumes may take together.
  public let availableBytes: Int64
  /// What one new volume may take at most, and at least.
  public let maximumVolumeBytes: Int64
  public let minimumVolumeBytes: Int64
  public let volumes: Int
}

/// A kind of pool. Every call is idempotent and may be made by many tasks at once; changes of one volume queue up.
/// All throw `VolumeError`.
public protocol VolumeBackend: Sendable {
  /// The pool's name, as storage classes name it.
  var poolName: String { get }

  func create(_ request: VolumeRequest) async throws -> Volume
  /// Fine if there is no such volume.
  func delete(_ name: String) async throws
  /// Grows the volume, not its file system. Fine if it is that large already.
  /// - Returns: the new size.
  func expand(_ name: String, to bytes: Int64, limitBytes: Int64) async throws -> Int64

  func volume(_ name: String) async -> Volume?
  /// In the order of their names.
  func volumes() async -> [Volume]
  /// - Parameter fileSystem: what new volumes would hold; bounds the least size.
  func capacity(for fileSystem: FileSystemType?) async throws -> PoolCapacity

  /// Keeps what a volume holds now, at one instant, whether or not it is mounted (then what was written is in it). The snapshot
  /// is good when this returns, and stays so whatever becomes of the volume.
  ///
  /// Other calls about the volume wait while it copies. A snapshot of that name and volume is returned as it is.
  func createSnapshot(_ name: String, of volume: String) async throws -> VolumeSnapshot
  /// Fine if there is no such snapshot. Volumes that were made from it stay.
  func deleteSnapshot(_ name: String) async throws
  func snapshot(_ name: String) async -> VolumeSnapshot?
  /// In the order of their names.
  func snapshots() async -> [VolumeSnapshot]

  /// Shows the volume as a block device.
  /// - Returns: the device's path.
  func attach(_ name: String) async throws -> String
  /// Takes the block device away; fine if there is none. Refused while it is mounted.
  func detach(_ name: String) async throws
  /// Makes the attached volume mountable: formats it if it is blank, checks it if it is not, and grows what can only be
  /// grown unmounted.
  /// - Throws: `VolumeError.foreignData` rather than format over anything.
  func prepareFileSystem(_ name: String) async throws
  /// Grows the file system that is mounted at `mountPoint` to the volume's size.
  func growFileSystem(_ name: String, mountPoint: String) async throws

  // MARK: Moving; see `VolumeMoving.swift`

  /// What a volume takes along beside its bytes.
  func traits(of name: String) async throws -> VolumeTraits
  /// Makes room for a volume that comes from another node; nobody is told of it before it is whole. Fine if it was made.
  func receive(_ name: String, _ traits: VolumeTraits) async throws
  /// All bytes of a volume that was being received are here: it becomes what it was elsewhere, and stays sealed.
  func completeReceiving(_ name: String, _ traits: VolumeTraits) async throws
  /// Keeps everybody from using the volume. Fine if it is sealed.
  /// - Throws: `VolumeError.inUse`.
  func seal(_ name: String) async throws
  /// Lets a sealed volume be used again. Fine if it is not sealed.
  func unseal(_ name: String) async throws
  /// Volumes that are sealed or being received.
  func movingVolumes() async throws -> [String: MovingState]
  /// Lends a volume's bytes, until `returnContents`.
  /// - Parameter writing: of a volume that is being received; else only reading, of one that may be in use.
  func lendContents(of name: String, writing: Bool) async throws -> VolumeContents
  /// To be called once for each time that they were lent, when nothing holds them any more.
  func returnContents(of name: String) async
}

/// A file system a volume may hold.
public enum FileSystemType: String, Sendable, Hashable, CaseIterable {
  case xfs
  case ext4

  /// How it is mounted beside one that it was copied from: xfs refuses a second one of the same UUID. To give a copy another UUID
  /// its log would have to be replayed first, by mounting it so.
  public var mountOptions: [String] { self == .xfs ? ["nouuid"] : [] }

  /// Bytes; mkfs refuses less.
  public var minimumBytes: Int64 {
    switch self {
    case .xfs: 300 << 20
    case .ext4: 32 << 20
    }
  }

  /// Volumes without a file system.
  public static let minimumBlockBytes: Int64 = 8 << 20

  /// The least size of a volume with this file system, or of a raw one.
  public static func minimumBytes(of type: FileSystemType?) -> Int64 { type?.minimumBytes ?? minimumBlockBytes }
}
