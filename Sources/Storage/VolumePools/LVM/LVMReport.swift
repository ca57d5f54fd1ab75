import BoundedNumbers
import JSONDocument

/// What `lvm fullreport --reportformat json` says of one volume group (lvmreport(7)).
///
/// Its values are text, also numbers; newer formats write numbers as such, and both are read.
package struct LVMReport: Sendable, Hashable {
  struct PhysicalVolume: Sendable, Hashable {
    let name: String
    let freeBytes: Int64
    /// Whether LVM gives its free extents away: `pvchange -x`, and its disk is there.
    let isAllocatable: Bool
  }

  struct LogicalVolume: Sendable, Hashable {
    let name: String
    let bytes: Int64
    let tags: Set<String>
    /// The ten letters of `lv_attr`, lvs(8).
    let attributes: String
    let isActive: Bool
    let isOpen: Bool
    /// The thin pool that it lies in; `nil`: it has extents of its own.
    let pool: String?
    /// Of a thin pool, percent of its space; `nil` while it is not active.
    let dataPercent: Double?
    let metadataPercent: Double?
    /// `partial`, `failed`, `out_of_data`, …; empty if it is well.
    let health: String
    /// The extents of each segment as lvextend(8) takes them: `/dev/sda:0-63`.
    fileprivate(set) var extents: [String] = []

    /// Of a snapshot of LVM's own: more was written to its origin than it has room for.
    var isInvalid: Bool { ["I", "S"].contains(attributes.dropFirst(4).first) }
    var isThinPool: Bool { attributes.first == "t" }
    /// Whether a thin pool clears blocks before it gives them out.
    var clearsBlocks: Bool { attributes.dropFirst(7).first == "z" }
  }

  let group: String
  let bytes: Int64
  let extentBytes: Int64
  let physicalVolumes: [PhysicalVolume]
  /// By name.
  let logicalVolumes: [String: LogicalVolume]

  /// What LVM can give away now, in bytes: the free extents of disks that are there and may be used.
  package var freeBytes: Int64 { physicalVolumes.filter(\.isAllocatable).map(\.freeBytes).clampedSum() }

  /// The options of `lvm fullreport` that bring what is read here.
  static let options = [
    "--reportformat", "json", "--units", "b", "--nosuffix",
    "--configreport", "vg", "-o", "vg_name,vg_size,vg_extent_size",
    "--configreport", "pv", "-o", "pv_name,pv_free,pv_allocatable,pv_missing",
    "--configreport", "lv", "-o",
    "lv_name,lv_size,lv_tags,lv_attr,lv_active,lv_device_open,pool_lv,data_percent,metadata_percent,lv_health_status",
    "--configreport", "pvseg", "-o", "pvseg_start",
    "--configreport", "seg", "-o", "lv_name,seg_pe_ranges",
  ]

  /// One entry of a report has some 600 bytes: 4 MiB are as many volumes as a group's metadata can hold.
  private static let limits = JSONLimits(depth: 8, bytes: 4 << 20, values: 1 << 20)

  /// - Throws: `LVMReportError` if the bytes are no report of the group, or one without its sizes.
  package init(parsing bytes: [UInt8], group: String) throws(LVMReportError) {
    let json: JSONValue
    do { json = try JSONValue(parsing: bytes, limits: Self.limits) } catch {
      throw LVMReportError(reason: "\(error)")
    }
    guard let report = json["report"].elements.first(where: { $0["vg"].elements.first?["vg_name"].string == group })
    else { throw LVMReportError(reason: "it is not about \(group)") }
    let vg = report["vg"].elements.first ?? .null
    guard let size = Self.bytes(vg["vg_size"]), let extent = Self.bytes(vg["vg_extent_size"]),
      // lvm(8): a power of two from 1 KiB on; at most what a volume may be large.
      extent >= 1 << 10, extent <= VolumeSize.maximumBytes
    else { throw LVMReportError(reason: "it has no sizes of \(group)") }
    self.group = group
    self.bytes = size
    extentBytes = extent
    physicalVolumes = report["pv"].elements.map { pv in
      PhysicalVolume(
        name: pv["pv_name"].string ?? "", freeBytes: Self.bytes(pv["pv_free"]) ?? 0,
        isAllocatable: Self.isSet(pv["pv_allocatable"]) && !Self.isSet(pv["pv_missing"]))
    }
    var volumes: [String: LogicalVolume] = [:]
    for lv in report["lv"].elements {
      guard let name = lv["lv_name"].string, let size = Self.bytes(lv["lv_size"]) else {
        throw LVMReportError(reason: "it has a volume without name or size")
      }
      let pool = lv["pool_lv"].string ?? ""
      volumes[name] = LogicalVolume(
        name: name, bytes: size, tags: Self.words(lv["lv_tags"]), attributes: lv["lv_attr"].string ?? "",
        isActive: Self.isSet(lv["lv_active"]),
        isOpen: lv["lv_device_open"].string == "open" || lv["lv_device_open"].int == 1,
        pool: pool.isEmpty ? nil : pool, dataPercent: Self.percent(lv["data_percent"]),
        metadataPercent: Self.percent(lv["metadata_percent"]), health: lv["lv_health_status"].string ?? "")
    }
    for segment in report["seg"].elements {
      guard let name = segment["lv_name"].string else { continue }
      volumes[name]?.extents += (segment["seg_pe_ranges"].string ?? "").split(separator: " ").map(String.init)
    }
    logicalVolumes = volumes
  }

  /// `67108864`, `"67108864"`, `"67108864B"`, `"67108864.00"`; `nil` for what is none or negative.
  static func bytes(_ value: JSONValue) -> Int64? {
    guard let text = value.string else { return value.int.flatMap { $0 < 0 ? nil : Int64($0) } }
    var digits = text.utf8.drop { $0 == UInt8(ascii: " ") }
    while let last = digits.last, [UInt8(ascii: " "), UInt8(ascii: "B"), UInt8(ascii: "b")].contains(last) {
      digits.removeLast()
    }
    if let point = digits.firstIndex(of: UInt8(ascii: ".")) {
      guard digits[digits.index(after: point)...].allSatisfy({ $0 == UInt8(ascii: "0") }) else { return nil }
      digits = digits[..<point]
    }
    guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return String(digits).flatMap { Int64($0) }
  }

  /// `"93.75"`, `93.75`; `nil` for the empty text of what is not active.
  static func percent(_ value: JSONValue) -> Double? {
    let number = value.string.flatMap { Double($0.filter { $0 != " " && $0 != "%" }) } ?? value.double
    return number.flatMap { $0.isFinite && $0 >= 0 ? min($0, 100) : nil }
  }

  /// A binary column: its word or an empty text; 1 and 0 in newer formats; -1 for unknown.
  private static func isSet(_ value: JSONValue) -> Bool {
    if let text = value.string { return !["", "0", "-1", "unknown"].contains(text) }
    return value.int.map { $0 > 0 } ?? value.bool ?? false
  }

  /// `"a,b"`, or an array in newer formats.
  private static func words(_ value: JSONValue) -> Set<String> {
    if let text = value.string { return Set(text.split(separator: ",").map(String.init)) }
    return Set(value.elements.compactMap(\.string))
  }
}

/// Bytes that are no report of LVM.
package struct LVMReportError: Error, Hashable, CustomStringConvertible {
  let reason: String

  package var description: String { "lvm's report cannot be read: \(reason)" }
}
