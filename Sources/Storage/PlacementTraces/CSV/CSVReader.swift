/// One record of a CSV file: its fields as bytes, quotes taken off.
struct CSVRecord {
  /// The line on which it begins, from 1.
  fileprivate(set) var line = 0
  fileprivate var bytes: [UInt8] = []
  /// Where each field ends in `bytes`.
  fileprivate var ends: [Int] = []

  var count: Int { ends.count }

  subscript(field: Int) -> ArraySlice<UInt8> { bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]] }

  /// A field as text, spaces around it taken off.
  func text(_ field: Int) -> String {
    String(decoding: Self.trimmed(self[field]), as: UTF8.self)
  }

  static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes = bytes.dropFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes = bytes.dropLast() }
    return bytes
  }

  fileprivate mutating func clear(line: Int) {
    self.line = line
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }
}

/// Reads CSV records one after the other (RFC 4180): fields divided by commas, quotes doubled inside quotes, lines that end
/// in LF or CRLF; a byte order mark and empty lines are passed over. Memory is bounded by the longest record allowed.
struct CSVReader {
  /// Bytes that one record may have.
  static let recordLimit = 1 << 20

  private let file: String
  private let source: () throws(TraceError) -> [UInt8]
  private var piece: [UInt8] = []
  private var position = 0
  private var line = 1
  private var isAtStart = true
  private var isAtEnd = false

  /// - Parameters:
  ///   - file: the name in errors.
  ///   - source: gives the next bytes, none at the end.
  init(file: String, source: @escaping () throws(TraceError) -> [UInt8]) {
    self.file = file
    self.source = source
  }

  init(path: String) throws(TraceError) {
    let bytes = try FileBytes(path)
    self.init(file: path) { () throws(TraceError) in try bytes.next() }
  }

  init(file: String, bytes: [UInt8]) {
    var rest: [UInt8]? = bytes
    self.init(file: file) { () throws(TraceError) in
      defer { rest = nil }
      return rest ?? []
    }
  }

  private enum State { case fieldStart, plain, quoted, quoteInQuoted }

  /// Reads the next record into `record`; false at the end.
  mutating func next(_ record: inout CSVRecord) throws(TraceError) -> Bool {
    if isAtStart { try start() }
    while true {
      guard try fill() else { return false }
      record.clear(line: line)
      try readRecord(&record)
      // An empty line is no record of one empty field.
      if record.count == 1, record.bytes.isEmpty { continue }
      return true
    }
  }

  /// Makes sure that there is a byte to read.
  private mutating func fill() throws(TraceError) -> Bool {
    while position >= piece.count {
      guard !isAtEnd else { return false }
      piece = try source()
      position = 0
      isAtEnd = piece.isEmpty
    }
    return true
  }

  private mutating func start() throws(TraceError) {
    isAtStart = false
    guard try fill() else { return }
    if piece.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  private mutating func readRecord(_ record: inout CSVRecord) throws(TraceError) {
    var state = State.fieldStart
    while true {
      guard try fill() else {
        if state == .quoted {
          throw TraceError(
            .notCSV(reason: "a quote is never closed"), file: file, line: record.line, column: record.count + 1)
        }
        record.ends.append(record.bytes.count)
        return
      }
      let byte = piece[position]
      position += 1
      switch (state, byte) {
      case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
      case (.quoteInQuoted, UInt8(ascii: "\"")):
        record.bytes.append(byte)
        state = .quoted
      case (.quoted, _):
        if byte == 0x0A { line += 1 }
        try append(byte, &record)
      case (_, UInt8(ascii: ",")):
        record.ends.append(record.bytes.count)
        state = .fieldStart
      case (_, 0x0A):
        line += 1
        record.ends.append(record.bytes.count)
        return
      case (_, 0x0D):
        // Only as the first half of CRLF; a lone CR is taken as an end of line, too.
        if try fill(), piece[position] == 0x0A { position += 1 }
        line += 1
        record.ends.append(record.bytes.count)
        return
      case (.fieldStart, UInt8(ascii: "\"")): state = .quoted
      case (.plain, UInt8(ascii: "\"")):
        throw fault("a quote within a field that does not begin with one", record)
      case (.quoteInQuoted, _): throw fault("text follows a closing quote", record)
      default:
        try append(byte, &record)
        state = .plain
      }
    }
  }

  private func append(_ byte: UInt8, _ record: inout CSVRecord) throws(TraceError) {
    guard byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else {
      throw fault("it holds the byte 0x\(String(byte, radix: 16))", record)
    }
    guard record.bytes.count < Self.recordLimit else {
      throw TraceError(.lineTooLong(limit: Self.recordLimit), file: file, line: record.line)
    }
    record.bytes.append(byte)
  }

  private func fault(_ reason: String, _ record: CSVRecord) -> TraceError {
    TraceError(.notCSV(reason: reason), file: file, line: record.line, column: record.count + 1)
  }
}
