import KubernetesAPI

/// Where the columns of a history stand, by the names in its header, and how their fields are read.
struct TraceColumns {
  enum Column: String, CaseIterable {
    case time, event, volume, size, created, deleted, cpu, memory, deviceClass = "class"
  }

  /// Names as they are found in the header, in lower case with `_`; the first that is there counts. The factor turns a plain
  /// number into bytes (or cores).
  private static let names: [Column: [(name: String, factor: Double)]] = {
    let gibibyte = Double(1 << 30)
    return [
      .time: [("time", 1), ("timestamp", 1)],
      .event: [("event", 1), ("action", 1)],
      .volume: [("volume", 1), ("id", 1), ("name", 1), ("instance_sn", 1), ("uid", 1)],
      .size: [("size", 1), ("bytes", 1), ("size_gib", gibibyte), ("disk_request", gibibyte)],
      .created: [("created", 1), ("creation_time", 1)],
      .deleted: [("deleted", 1), ("deletion_time", 1)],
      .cpu: [("cpu", 1), ("cpu_request", 1)],
      .memory: [("memory", 1), ("memory_gib", gibibyte), ("memory_request", gibibyte)],
      .deviceClass: [("class", 1), ("device_class", 1), ("storage_class", 1)],
    ]
  }()

  /// A single volume above this is a mistake in the unit.
  static let largestBytes = Double(1 << 50)

  /// All sizes of a history together, so that no sum over it overflows.
  static let largestSum: Int64 = 1 << 62

  private let file: String
  private var positions: [Column: Int] = [:]
  private var factors: [Column: Double] = [:]
  private let header: [String]

  init(file: String, header record: CSVRecord) throws(TraceError) {
    self.file = file
    header = (0..<record.count).map { record.text($0) }
    let known = header.map { name in
      String(name.lowercased().map { $0 == " " || $0 == "-" ? "_" : $0 })
    }
    for (column, candidates) in Self.names {
      for candidate in candidates {
        if let position = known.firstIndex(of: candidate.name) {
          positions[column] = position
          factors[column] = candidate.factor
          break
        }
      }
    }
    guard !positions.isEmpty else {
      throw TraceError(
        .missingColumns([Column.time, .event, .volume, .size].map(\.rawValue), found: Array(header.prefix(20))),
        file: file, line: record.line)
    }
  }

  /// Whether the file has a line for each change, not for each volume.
  var isByEvent: Bool { positions[.event] != nil }

  func require(_ columns: [Column]) throws(TraceError) {
    let missing = columns.filter { positions[$0] == nil }
    guard missing.isEmpty else {
      throw TraceError(
        .missingColumns(missing.map(\.rawValue), found: Array(header.prefix(20))), file: file, line: 1)
    }
  }

  func check(_ record: CSVRecord) throws(TraceError) {
    guard record.count == header.count else {
      throw TraceError(.fieldCount(found: record.count, expected: header.count), file: file, line: record.line)
    }
  }

  func error(_ problem: TraceError.Problem, _ column: Column, _ record: CSVRecord) -> TraceError {
    let position = positions[column]
    return TraceError(
      problem, file: file, line: record.line, column: position.map { $0 + 1 },
      columnName: position.map { header[$0] } ?? column.rawValue)
  }

  /// A field without spaces around it; empty where there is no such column.
  func bytes(_ column: Column, _ record: CSVRecord) -> ArraySlice<UInt8> {
    positions[column].map { CSVRecord.trimmed(record[$0]) } ?? []
  }

  func text(_ column: Column, _ record: CSVRecord) -> String {
    String(decoding: bytes(column, record), as: UTF8.self)
  }

  /// The name of the volume.
  func volume(_ record: CSVRecord) throws(TraceError) -> String {
    let text = text(.volume, record)
    guard !text.isEmpty else { throw error(.noID, .volume, record) }
    return text
  }

  /// Bytes, above zero and not absurd.
  func size(_ record: CSVRecord) throws(TraceError) -> Int64 {
    let field = bytes(.size, record)
    guard let value = amount(field, factor: factors[.size] ?? 1) else {
      throw error(.invalidSize(String(decoding: field, as: UTF8.self)), .size, record)
    }
    guard value > 0 else { throw error(.negativeSize(String(decoding: field, as: UTF8.self)), .size, record) }
    guard value <= Self.largestBytes else {
      throw error(.absurdSize(String(decoding: field, as: UTF8.self)), .size, record)
    }
    return max(1, Int64(value.rounded()))
  }

  /// Bytes that the history asks for so far, this record's included.
  func sum(_ sum: Int64, _ bytes: Int64, _ record: CSVRecord) throws(TraceError) -> Int64 {
    guard sum <= Self.largestSum - bytes else { throw error(.absurdSum, .size, record) }
    return sum + bytes
  }

  /// Thousandths of a core; 0 where nothing is said.
  func milliCPU(_ record: CSVRecord) throws(TraceError) -> Int32 {
    Int32(try optionalAmount(.cpu, record, most: 1e6) * 1000)
  }

  /// Bytes; 0 where nothing is said.
  func memory(_ record: CSVRecord) throws(TraceError) -> Int64 {
    Int64(try optionalAmount(.memory, record, most: Self.largestBytes).rounded())
  }

  private func optionalAmount(_ column: Column, _ record: CSVRecord, most: Double) throws(TraceError) -> Double {
    let field = bytes(column, record)
    if field.isEmpty { return 0 }
    guard let value = amount(field, factor: factors[column] ?? 1), value >= 0, value <= most else {
      throw error(.invalidNumber(String(decoding: field, as: UTF8.self)), column, record)
    }
    return value
  }

  /// A plain number times the column's factor, or a Kubernetes quantity with its own unit.
  private func amount(_ field: ArraySlice<UInt8>, factor: Double) -> Double? {
    if let number = DecimalField.value(field) { return number * factor }
    return Quantity(String(decoding: field, as: UTF8.self)).map { Double($0.milli) / 1000 }
  }
}
