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

  private static let volume = "nagaya.volume="
  private static let state = "nagaya.state="
  private static let target = "nagaya.target-bytes="
  private static let fileSystem = "nagaya.file-system="
  private static let format = "nagaya.format="
  private static let formatted = "nagaya.formatted-bytes="
  private static let parameter = "nagaya.parameter."

  /// - Throws: `VolumeError` if the parameters are longer than tags can be.
  static func tags(of record: VolumeRecord) throws(VolumeError) -> Set<String> {
    var tags: Set<String> = [
      ours, volume + record.name, state + record.state.rawValue, format + record.format.rawValue,
      formatted + "\(record.fileSystemBytes)",
    ]
    if record.state == .expanding { tags.insert(target + "\(record.targetBytes)") }
    if let type = record.fileSystem { tags.insert(fileSystem + type.rawValue) }
    for (key, value) in record.parameters { tags.insert("\(parameter)\(escaped(key))=\(escaped(value))") }
    guard tags.count <= 40, tags.allSatisfy({ $0.utf8.count <= 1024 }) else {
      throw .failed(
        volume: record.name, doing: "recording parameters",
        reason: "LVM keeps 32 of them with 1000 bytes each at most; give fewer or shorter ones")
    }
    return tags
  }

  /// The record of a logical volume; `nil` if the tags are not those of a volume.
  static func record(of logical: LVMReport.LogicalVolume) -> VolumeRecord? {
    func value(_ prefix: String) -> String? {
      logical.tags.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }
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
    for tag in logical.tags where tag.hasPrefix(parameter) {
      let parts = tag.dropFirst(parameter.count).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let key = plain(parts[0]), let value = plain(parts[1]) else { return nil }
      record.parameters[key] = value
    }
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
