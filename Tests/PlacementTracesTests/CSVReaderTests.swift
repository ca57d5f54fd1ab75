import Testing

@testable import PlacementTraces

@Suite struct CSVReaderTests {
  static func records(_ text: String) throws -> [[String]] {
    var reader = CSVReader(file: "t.csv", bytes: Array(text.utf8))
    var record = CSVRecord()
    var records: [[String]] = []
    while try reader.next(&record) {
      records.append((0..<record.count).map { String(decoding: record[$0], as: UTF8.self) })
    }
    return records
  }

  @Test(arguments: [
    ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]), ("a,,\n", [["a", "", ""]]),
    ("\"a,b\",\"c\"\"d\"\n", [["a,b", "c\"d"]]), ("\"x\ny\",z\n", [["x\ny", "z"]]), ("\n\na\n\n\nb\n", [["a"], ["b"]]),
    ("\u{FEFF}a\n", [["a"]]), ("\"\",\n", [["", ""]]), ("", []), ("a\rb\r", [["a"], ["b"]]),
  ])
  func `Records as RFC 4180 writes them`(text: String, wanted: [[String]]) throws {
    #expect(try Self.records(text) == wanted)
  }

  @Test(arguments: [
    ("a,b\n1,x\"y\n", 2, 2), ("a\n\"x\"y\n", 2, 1), ("a,b,c\n1,2,\"never\nclosed\n", 2, 3), ("a\n1\u{0}\n", 2, 1),
  ])
  func `What is not CSV is named with line and field`(text: String, line: Int, column: Int) throws {
    let error = try #require(throws: TraceError.self) { try Self.records(text) }
    guard case .notCSV = error.problem else { return #expect(Bool(false), "\(error)") }
    #expect(error.line == line)
    #expect(error.column == column)
  }

  @Test func `Lines count on through quoted line breaks`() throws {
    var reader = CSVReader(file: "t.csv", bytes: Array("a\n\"x\n\ny\"\nb\n".utf8))
    var record = CSVRecord()
    var lines: [Int] = []
    while try reader.next(&record) { lines.append(record.line) }
    #expect(lines == [1, 2, 5])
  }

  @Test func `A line without end is refused before it fills the memory`() throws {
    var pieces = 0
    var reader = CSVReader(file: "t.csv") { () throws(TraceError) in
      pieces += 1
      return [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
    }
    var record = CSVRecord()
    let error = try #require(throws: TraceError.self) { try reader.next(&record) }
    #expect(error.problem == .lineTooLong(limit: CSVReader.recordLimit))
    #expect(pieces < 20)
  }

  @Test(arguments: [1, 2, 3, 7]) func `Pieces may end anywhere`(size: Int) throws {
    let text = "a,\"b\"\"c\"\r\n\"1\r\n2\",3\r\n\r\nx,y"
    var rest = Array(text.utf8)[...]
    var reader = CSVReader(file: "t.csv") { () throws(TraceError) in
      defer { rest = rest.dropFirst(size) }
      return Array(rest.prefix(size))
    }
    var record = CSVRecord()
    var records: [[String]] = []
    while try reader.next(&record) {
      records.append((0..<record.count).map { String(decoding: record[$0], as: UTF8.self) })
    }
    #expect(records == [["a", "b\"c"], ["1\r\n2", "3"], ["x", "y"]])
  }

  @Test(arguments: [
    ("12", 12.0), ("-3", -3), ("680.0", 680), ("1.5e3", 1500), ("0", 0), ("+4", 4), ("nan", nil), ("inf", nil),
    ("0x10", nil), ("", nil), ("1,5", nil), ("--1", nil), ("1e999", nil),
    ("123456789012345678901", 1.2345678901234568e20),
  ])
  func `Numbers are decimal and finite`(text: String, value: Double?) {
    #expect(DecimalField.value(Array(text.utf8)[...]) == value)
  }
}
