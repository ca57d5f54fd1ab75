/// Reads the lines of volumes, checks them and sorts them by creation.
struct LifetimeLoader {
  private var reader: CSVReader
  private var record = CSVRecord()
  private let file: String
  private let columns: TraceColumns
  private let isLenient: Bool
  private var clock = TraceTime()
  private var rows: [LifetimeRow] = []
  private var sum: Int64 = 0
  private(set) var classes = DeviceClassNames()
  private(set) var warnings = TraceWarnings()
  /// Volumes without a time of creation.
  private(set) var initial = 0

  init(_ reader: CSVReader, file: String, isLenient: Bool) throws(TraceError) {
    self.reader = reader
    self.file = file
    self.isLenient = isLenient
    guard try self.reader.next(&record) else { throw TraceError(.empty, file: file) }
    columns = try TraceColumns(file: file, header: record)
    try columns.require([.volume, .created, .deleted, .size])
  }

  mutating func load() throws(TraceError) -> [LifetimeRow] {
    while try reader.next(&record) {
      try keepGoing { (loader: inout LifetimeLoader) throws(TraceError) in
        let row = try loader.row()
        guard loader.rows.count < LifetimeTrace.rowLimit else {
          throw TraceError(.tooManyRows(limit: LifetimeTrace.rowLimit), file: loader.file)
        }
        loader.rows.append(row)
      }
    }
    try leaveOutRepetitions()
    initial = rows.count { $0.created == -.infinity }
    setOrigin()
    // Stable: volumes of the same moment keep the order of the file.
    rows.sort { ($0.created, $0.line) < ($1.created, $1.line) }
    return rows
  }

  private mutating func keepGoing(
    _ body: (inout LifetimeLoader) throws(TraceError) -> Void
  ) throws(TraceError) {
    do throws(TraceError) {
      try body(&self)
    } catch {
      guard isLenient, error.problem.isOfOneLine else { throw error }
      warnings.add(error)
    }
  }

  private mutating func row() throws(TraceError) -> LifetimeRow {
    try columns.check(record)
    let name = try columns.volume(record)
    let created = try time(.created) ?? -.infinity
    let deleted = try time(.deleted) ?? .infinity
    guard deleted >= created else {
      throw columns.error(.deletedBeforeCreation(id: name), .deleted, record)
    }
    let deviceClass = classes.index(of: columns.text(.deviceClass, record))
    guard deviceClass <= UInt16.max else {
      throw columns.error(.invalidField(reason: "more than 65,536 classes"), .deviceClass, record)
    }
    let bytes = try columns.size(record)
    let row = LifetimeRow(
      created: created, deleted: deleted, bytes: bytes, memoryBytes: try columns.memory(record),
      fingerprint: Self.fingerprint(name), line: UInt32(clamping: record.line), milliCPU: try columns.milliCPU(record),
      deviceClass: UInt16(deviceClass))
    sum = try columns.sum(sum, bytes, record)
    return row
  }

  private mutating func time(_ column: TraceColumns.Column) throws(TraceError) -> Double? {
    let field = columns.bytes(column, record)
    if field.isEmpty { return nil }
    do {
      return try clock.seconds(field)
    } catch {
      let text = String(decoding: field, as: UTF8.self)
      throw columns.error(error == .mixed ? .mixedTimes(text) : .invalidTime(text), column, record)
    }
  }

  /// Names are compared by 64 bits: at ten million volumes two names collide with a probability of 3 in a million, and
  /// then the file is refused, not misread.
  private static func fingerprint(_ name: String) -> UInt64 {
    // FNV-1a, then SplitMix64's mixing, so that names that differ in one digit are far apart.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
    return hash ^ (hash >> 31)
  }

  private mutating func leaveOutRepetitions() throws(TraceError) {
    let order = rows.indices.sorted {
      (rows[$0].fingerprint, rows[$0].line) < (rows[$1].fingerprint, rows[$1].line)
    }
    var repeated: [Int] = []
    var first = -1
    for index in order {
      if first >= 0, rows[first].fingerprint == rows[index].fingerprint {
        let error = TraceError(
          .duplicateID("the volume of line \(rows[index].line)", firstLine: Int(rows[first].line)), file: file,
          line: Int(rows[index].line), columnName: "volume")
        guard isLenient else { throw error }
        warnings.add(error)
        repeated.append(index)
      } else {
        first = index
      }
    }
    guard !repeated.isEmpty else { return }
    let left = Set(repeated)
    rows = rows.indices.filter { !left.contains($0) }.map { rows[$0] }
  }

  /// Makes times count from the start of the history, where volumes without a time of creation arrive.
  private mutating func setOrigin() {
    var least = Double.infinity
    for row in rows {
      if row.created > -.infinity { least = min(least, row.created) }
      least = min(least, row.deleted)
    }
    let start = least == .infinity ? 0 : clock.kind == .dates ? least : min(0, least)
    for index in rows.indices {
      rows[index].created = rows[index].created == -.infinity ? 0 : rows[index].created - start
      rows[index].deleted -= start
    }
  }
}
