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

  public init(
    name: String, bytes: Int64, limitBytes: Int64 = 0, fileSystem: FileSystemType? = nil,
    parameters: [String: String] = [:]
  ) {
    self.name = name
    self.bytes = bytes
    self.limitBytes = limitBytes
    self.fileSystem = fileSystem
    self.parameters = parameters
  }
}

/// A volume as the pool knows it.
public struct Volume: Sendable, Hashable {
  public let name: String
  public let bytes: Int64
  public let fileSystem: FileSystemType?
  public let parameters: [String: String]
  /// What is wrong with it, for people; `nil` if nothing is.
  public let fault: String?
}

/// The space of a pool, in bytes.
public struct PoolCapacity: Sendable, Hashable {
  /// What volumes may take together.
  public let totalBytes: Int64
  /// What is promised to volumes.
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

/// Why a pool refuses or fails. Every case names the volume and says what to do.
public enum VolumeError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalidName(String)
  case invalidSize(volume: String, reason: String)
  case notFound(volume: String)
  /// The name is taken by a volume that is not what was asked for.
  case conflict(volume: String, reason: String)
  case noSpace(volume: String, pool: String, requestedBytes: Int64, availableBytes: Int64)
  case inUse(volume: String, by: String)
  case foreignData(volume: String, found: String)
  case growNeedsUnmount(volume: String)
  /// It is being copied to or from another node.
  case moving(volume: String)
  case poolInUse(pool: String, directory: String)
  /// The pool has room by its numbers, but what it lies in is too full to take more.
  case poolFull(volume: String, pool: String, reason: String)
  /// What the pool lies in cannot be used now.
  case poolUnavailable(pool: String, reason: String)
  /// A call of the kernel or of a program failed.
  case failed(volume: String, doing: String, reason: String)

  public var description: String {
    switch self {
    case .invalidName(let name):
      "invalid volume name \"\(name.prefix(80))\": use 1 to 128 letters, digits, '-', '_' and '.', beginning with a letter or digit"
    case .invalidSize(let volume, let reason): "volume \(volume): \(reason)"
    case .notFound(let volume): "volume \(volume) not found in any pool of this node; it may have been deleted"
    case .conflict(let volume, let reason):
      "volume \(volume) exists already, \(reason); choose another name or the same size and parameters"
    case .noSpace(let volume, let pool, let requested, let available):
      "volume \(volume): \(requested) bytes requested, \(available) bytes available in pool \(pool); delete volumes, enlarge the pool or ask for less"
    case .inUse(let volume, let by): "volume \(volume) is in use (\(by)); unmount it first"
    case .foreignData(let volume, let found):
      "volume \(volume) holds \(found) that was not made here; it is not formatted over. Wipe it (wipefs -a) or delete the volume"
    case .growNeedsUnmount(let volume):
      "the file system of volume \(volume) cannot grow while mounted on this node; it will when the volume is next staged: restart its pod"
    case .moving(let volume):
      "volume \(volume) is being moved to or from another node; try again when it has (nagaya get moves)"
    case .poolInUse(let pool, let directory):
      "pool \(pool) (\(directory)) is held by another process; end that one first"
    case .poolFull(let volume, let pool, let reason): "volume \(volume): pool \(pool) takes no more: \(reason)"
    case .poolUnavailable(let pool, let reason): "pool \(pool) cannot be used: \(reason)"
    case .failed(let volume, let doing, let reason): "volume \(volume): \(doing) failed: \(reason)"
    }
  }
}

/// A file system a volume may hold.
public enum FileSystemType: String, Sendable, Hashable, CaseIterable {
  case xfs
  case ext4

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
