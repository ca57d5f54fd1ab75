import LinuxSystem

/// What LVM itself keeps of a volume beside its size: tags of its logical volume. They change in one transaction with the
/// group's metadata, and go with the disks to another machine.
///
/// Tags hold letters, digits and `_+.-/=!:&#`, 1024 of them at most (lvm(8), "tags"); other bytes are written as `!` and two
/// hexadecimal digits.
enum VolumeTags {
  /// Every logical volume with it is Nagaya's; no other is touched.
  static let ours = "nagaya"
  /// Clean extents on their way to a volume that grows; such a logical volume holds nothing.
  static let growth = "nagaya.growth"
  /// What a thick volume held at one instant, while that is copied (LVM's own snapshot, which costs as much as is written
  /// meanwhile).
  static let copy = "nagaya.copy"

  private static let volume = "nagaya.volume="
  private static let state = "nagaya.state="
  private static let target = "nagaya.target-bytes="
  private static let fileSystem = "nagaya.file-system="
  private static let format = "nagaya.format="
  private static let formatted = "nagaya.formatted-bytes="
  private static let parameter = "nagaya.parameter."
  private static let source = "nagaya.source="
  private static let snapshot = "nagaya.snapshot="
  private static let taken = "nagaya.taken-at="

  /// - Throws: `VolumeError` if the parameters are longer than tags can be.
  static func tags(of record: VolumeRecord) throws(VolumeError) -> Set<String> {
    var tags: Set<String> = [
      ours, volume + record.name, state + record.state.rawValue, format + record.format.rawValue,
      formatted + "\(record.fileSystemBytes)",
    ]
    if record.state == .expanding { tags.insert(target + "\(record.targetBytes)") }
    if let type = record.fileSystem { tags.insert(fileSystem + type.rawValue) }
    if let source = record.source { tags.insert(Self.source + source.encoded) }
    tags.formUnion(parameterTags(record.parameters))
    return try checked(tags, record.name)
  }

  private static func parameterTags(_ parameters: [String: String]) -> [String] {
    parameters.map { "\(parameter)\(escaped($0.key))=\(escaped($0.value))" }
  }

  private static func checked(_ tags: Set<String>, _ name: String) throws(VolumeError) -> Set<String> {
    guard tags.count <= 40, tags.allSatisfy({ $0.utf8.count <= 1024 }) else {
      throw .failed(
        volume: name, doing: "recording parameters",
        reason: "LVM keeps 32 of them with 1000 bytes each at most; give fewer or shorter ones")
    }
    return tags
  }

  private static func parameters(of logical: LVMReport.LogicalVolume) -> [String: String]? {
    var parameters: [String: String] = [:]
    for tag in logical.tags where tag.hasPrefix(parameter) {
      let parts = tag.dropFirst(parameter.count).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let key = plain(parts[0]), let value = plain(parts[1]) else { return nil }
      parameters[key] = value
    }
    return parameters
  }

  private static func value(_ prefix: String, of logical: LVMReport.LogicalVolume) -> String? {
    logical.tags.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
  }

  // MARK: Snapshots

  /// - Throws: `VolumeError` if the parameters are longer than tags can be.
  static func tags(of record: SnapshotRecord) throws(VolumeError) -> Set<String> {
    var tags: Set<String> = [
      ours, snapshot + record.name, source + VolumeSource.volume(record.volume).encoded,
      state + record.state.rawValue, format + record.format.rawValue, formatted + "\(record.fileSystemBytes)",
      taken + "\(record.takenAt)",
    ]
    if let type = record.fileSystem { tags.insert(fileSystem + type.rawValue) }
    tags.formUnion(parameterTags(record.parameters))
    return try checked(tags, record.volume)
  }

  /// The record of a logical volume; `nil` if the tags are not those of a snapshot.
  static func snapshot(of logical: LVMReport.LogicalVolume) -> SnapshotRecord? {
    guard logical.tags.contains(ours), let name = value(snapshot, of: logical), VolumeName.isValid(name),
      logical.bytes > 0, let state = value(state, of: logical).flatMap(SnapshotRecord.State.init),
      case .volume(let volume) = value(source, of: logical).flatMap(VolumeSource.init(encoded:)),
      let parameters = parameters(of: logical)
    else { return nil }
    var owner = VolumeRecord(
      VolumeRequest(name: volume, bytes: logical.bytes, parameters: parameters), bytes: logical.bytes)
    if let type = value(fileSystem, of: logical) {
      guard let type = FileSystemType(rawValue: type) else { return nil }
      owner.fileSystem = type
    }
    owner.format = value(format, of: logical).flatMap(VolumeRecord.Format.init) ?? .blank
    owner.fileSystemBytes = value(formatted, of: logical).flatMap { Int64($0) } ?? 0
    var record = SnapshotRecord(name, of: owner, bytes: logical.bytes, promisedBytes: logical.bytes)
    record.state = state
    record.takenAt = value(taken, of: logical).flatMap { Int64($0) } ?? 0
    return record
  }

  // MARK: Volumes

  /// The record of a logical volume; `nil` if the tags are not those of a volume.
  static func record(of logical: LVMReport.LogicalVolume) -> VolumeRecord? {
    func value(_ prefix: String) -> String? { Self.value(prefix, of: logical) }
    guard logical.tags.contains(ours), let name = value(volume), VolumeName.isValid(name), logical.bytes > 0,
      let state = value(state).flatMap(VolumeRecord.State.init)
    else { return nil }
    var record = VolumeRecord(VolumeRequest(name: name, bytes: logical.bytes), bytes: logical.bytes)
    record.state = state
    if state == .expanding, let bytes = value(target).flatMap({ Int64($0) }), bytes <= VolumeSize.maximumBytes {
      record.targetBytes = max(bytes, logical.bytes)
    }
    if let type = value(fileSystem) {
      guard let type = FileSystemType(rawValue: type) else { return nil }
      record.fileSystem = type
    }
    record.format = value(format).flatMap(VolumeRecord.Format.init) ?? .blank
    record.fileSystemBytes = value(formatted).flatMap { Int64($0) } ?? 0
    record.source = value(source).flatMap(VolumeSource.init(encoded:))
    guard let parameters = parameters(of: logical) else { return nil }
    record.parameters = parameters
    return record
  }

  /// The name of a volume's logical volume: the volume's own after `nagaya.`, or a number made of it where LVM might not take
  /// that (the device mapper has 127 bytes for group and volume together, with hyphens twice; LVM has reserved words after `_`).
  static func logicalName(of volume: String) -> String {
    let hyphens = volume.utf8.count { $0 == UInt8(ascii: "-") }
    if volume.utf8.count + hyphens <= 64, !volume.utf8.contains(UInt8(ascii: "_")) { return "nagaya.\(volume)" }
    return "nagaya..\(number(of: volume))"
  }

  /// The name of the logical volume whose extents a volume grows by. Two dots: no volume's own name begins with one.
  static func growthName(of volume: String) -> String { "nagaya..growth.\(number(of: volume))" }

  static func snapshotName(of snapshot: String) -> String { "nagaya..snapshot.\(number(of: snapshot))" }

  /// What is copied into a logical volume.
  static func copyName(of target: String) -> String { "nagaya..copy.\(number(of: target))" }

  /// FNV-1a (Fowler, Noll, Vo), 64 bits.
  private static func number(of volume: String) -> String {
    let hash = volume.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 48...57, UInt8(ascii: "_"),
        UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"):
        String(UnicodeScalar(byte))
      default: "!" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }

  private static func plain(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "!") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        return nil
      }
      rest = rest.dropFirst(2)
      bytes.append(value)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
