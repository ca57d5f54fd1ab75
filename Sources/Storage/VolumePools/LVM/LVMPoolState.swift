import BoundedNumbers

/// What one report of LVM means for one pool. Values only: nothing is asked.
struct LVMPoolState: Sendable {
  struct Entry: Sendable {
    let logical: LVMReport.LogicalVolume
    var record: VolumeRecord
  }

  struct SnapshotEntry: Sendable {
    let logical: LVMReport.LogicalVolume
    let record: SnapshotRecord
  }

  let report: LVMReport
  let configuration: LVMPool.Configuration
  /// The pool's volumes by their names, unfinished ones too.
  let volumes: [String: Entry]
  /// The pool's snapshots by their names, unfinished ones too.
  let snapshots: [String: SnapshotEntry]
  /// Logical volumes that are marked as Nagaya's or named so, but are neither volumes nor what grows one.
  let strays: [String]
  /// What an interrupted growth left: clean extents.
  let leftovers: [String]
  /// What is being copied of volumes in use, or was when a crash came.
  let copies: [String]

  init(_ report: LVMReport, _ configuration: LVMPool.Configuration) {
    self.report = report
    self.configuration = configuration
    var volumes: [String: Entry] = [:]
    var strays: [String] = []
    var leftovers: [String] = []
    var snapshots: [String: SnapshotEntry] = [:]
    var copies: [String] = []
    for logical in report.logicalVolumes.values.sorted(by: { $0.name < $1.name })
    where logical.pool == Self.thinPool(configuration) {
      if logical.tags.isSuperset(of: [VolumeTags.ours, VolumeTags.growth]) {
        leftovers.append(logical.name)
      } else if logical.tags.isSuperset(of: [VolumeTags.ours, VolumeTags.copy]) {
        copies.append(logical.name)
      } else if let record = VolumeTags.snapshot(of: logical),
        logical.name == VolumeTags.snapshotName(of: record.name)
      {
        snapshots[record.name] = SnapshotEntry(logical: logical, record: record)
      } else if let record = VolumeTags.record(of: logical),
        logical.name == VolumeTags.logicalName(of: record.name)
      {
        volumes[record.name] = Entry(logical: logical, record: record)
      } else if logical.tags.contains(VolumeTags.ours) || logical.name.hasPrefix("nagaya.") {
        strays.append(logical.name)
      }
    }
    self.volumes = volumes
    self.strays = strays
    self.leftovers = leftovers
    self.snapshots = snapshots
    self.copies = copies
  }

  private static func thinPool(_ configuration: LVMPool.Configuration) -> String? {
    if case .thin(let pool) = configuration.kind { return pool }
    return nil
  }

  var thinPool: LVMReport.LogicalVolume? {
    Self.thinPool(configuration).flatMap { report.logicalVolumes[$0] }.flatMap { $0.isThinPool ? $0 : nil }
  }

  // MARK: Space

  /// What volumes may take together: of a thin pool its size × the ratio; else what they have and what is free.
  var totalBytes: Int64 {
    switch configuration.kind {
    case .thick:
      // What is on its way to a growing volume is promised to that one.
      let growths = leftovers.compactMap { report.logicalVolumes[$0]?.bytes }.clampedSum()
      return ownBytes.clampedAdding(growths).clampedAdding(
        max(0, report.freeBytes.clampedSubtracting(configuration.reservedBytes)))
    case .thin:
      return Int64(clamping: Double(thinPool?.bytes ?? 0) * configuration.overprovisionRatio)
    }
  }

  /// What is promised: of a thin pool also to volumes that are not ours, since they fill it, too.
  var promisedBytes: Int64 {
    guard case .thin(let pool) = configuration.kind else { return ownBytes.clampedAdding(growingBytes) }
    return report.logicalVolumes.values.filter { $0.pool == pool }.map(\.bytes).clampedSum().clampedAdding(growingBytes)
  }

  var availableBytes: Int64 {
    let extent = report.extentBytes
    return max(0, totalBytes.clampedSubtracting(promisedBytes)) / extent * extent
  }

  /// What volumes and snapshots have, and what is set aside while one is copied.
  private var ownBytes: Int64 {
    let copies = copies.compactMap { report.logicalVolumes[$0]?.bytes }
    return (volumes.values.map(\.logical.bytes) + snapshots.values.map(\.logical.bytes) + copies).clampedSum()
  }

  /// What volumes still lack that are growing.
  private var growingBytes: Int64 {
    volumes.values.map { $0.record.promisedBytes.clampedSubtracting($0.logical.bytes) }.clampedSum()
  }

  /// Why a thin pool takes no more, whatever was promised; `nil` if it does.
  var fullness: String? {
    guard case .thin(let name) = configuration.kind else { return nil }
    let shown = "thin pool \(report.group)/\(name)"
    guard let pool = thinPool else { return "\(shown) is missing; make it (lvcreate --type thin-pool)" }
    guard pool.clearsBlocks || configuration.wipes == .none else {
      return "\(shown) gives blocks out with what earlier volumes left in them; let it clear them (lvchange -Zy)"
    }
    guard let data = pool.dataPercent, let metadata = pool.metadataPercent else {
      return
        "\(shown) is not active, so what is in use is not known; activate it (lvchange -ay \(report.group)/\(name))"
    }
    if data > configuration.dataLimitPercent {
      return
        "\(shown) has \(data) % of its data in use, limit \(configuration.dataLimitPercent) %; extend it (lvextend) or delete volumes"
    }
    if metadata > configuration.metadataLimitPercent {
      return
        "\(shown) has \(metadata) % of its metadata in use, limit \(configuration.metadataLimitPercent) %; extend it (lvextend --poolmetadatasize) or delete volumes"
    }
    return nil
  }

  /// What is wrong with a volume, for people.
  func fault(of name: String) -> String? { volumes[name].flatMap { fault(of: $0.logical) } }

  func fault(of logical: LVMReport.LogicalVolume) -> String? {
    let shown = "\(report.group)/\(logical.name)"
    if logical.health.contains("partial") {
      return "disks of its logical volume \(shown) are missing; attach them again or restore it from a backup"
    }
    if !logical.health.isEmpty { return "its logical volume \(shown) is \(logical.health); see lvs -a \(report.group)" }
    guard let pool = thinPool else { return nil }
    if !pool.health.isEmpty {
      return "its thin pool \(report.group)/\(pool.name) is \(pool.health); see lvs -a \(report.group)"
    }
    if let data = pool.dataPercent, data >= 100 {
      return "its thin pool \(report.group)/\(pool.name) is full: writes fail; extend it (lvextend)"
    }
    return nil
  }
}
