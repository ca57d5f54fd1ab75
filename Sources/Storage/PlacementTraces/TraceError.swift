/// Something in a history or description that can't be used: where it stands, what is wrong, what to do.
public struct TraceError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Problem: Sendable, Hashable {
    case cannotRead(reason: String)
    case notCSV(reason: String)
    case notJSON(reason: String)
    case notClaims(reason: String)
    case lineTooLong(limit: Int)
    case missingColumns([String], found: [String])
    case fieldCount(found: Int, expected: Int)
    case empty
    case tooManyRows(limit: Int)
    case noID
    case invalidNumber(String)
    case invalidTime(String)
    case unknownEvent(String)
    case invalidSize(String)
    case negativeSize(String)
    case absurdSize(String)
    case absurdSum
    case notAlive(id: String, event: String)
    case deletedBeforeCreation(id: String)
    case clockBackwards(from: String, to: String)
    case duplicateID(String, firstLine: Int)
    case shrinks(id: String)
    case mixedTimes(String)
    case invalidField(reason: String)
  }

  public var file: String
  /// From 1; `nil` where the whole file is meant.
  public var line: Int?
  /// The field, from 1, or the byte in a line of JSON.
  public var column: Int?
  /// The column's name in the header, or the path in a document.
  public var columnName: String
  public var problem: Problem

  public init(_ problem: Problem, file: String, line: Int? = nil, column: Int? = nil, columnName: String = "") {
    self.problem = problem
    self.file = file
    self.line = line
    self.column = column
    self.columnName = columnName
  }

  /// `trace.csv:17, column 3 (size): ...`
  public var description: String {
    var place = file
    if let line { place += ":\(line)" }
    if let column { place += ", column \(column)" }
    if !columnName.isEmpty { place += column == nil ? ", \(columnName)" : " (\(columnName))" }
    return "\(place): \(problem.message)"
  }

  /// What the reader of the message can do.
  public var remedy: String { problem.remedy }
}

extension TraceError.Problem {
  /// What is wrong, in one line.
  public var message: String {
    switch self {
    case .cannotRead(let reason): "cannot be read: \(reason)"
    case .notCSV(let reason): "not a CSV file: \(reason)"
    case .notJSON(let reason): reason
    case .notClaims(let reason): "not the output of kubectl get pvc -A -o json: \(reason)"
    case .lineTooLong(let limit): "the line is longer than \(limit) bytes"
    case .missingColumns(let names, let found):
      "no column \(names.joined(separator: ", ")); the header has \(found.map(Self.quoted).joined(separator: ", "))"
    case .fieldCount(let found, let expected): "the line has \(found) fields, the header \(expected)"
    case .empty: "holds no request"
    case .tooManyRows(let limit): "has more than \(limit) lines, which would not fit into memory"
    case .noID: "the volume has no name"
    case .invalidNumber(let text): "\(Self.quoted(text)) is no number"
    case .invalidTime(let text): "\(Self.quoted(text)) is no time"
    case .unknownEvent(let text): "\(Self.quoted(text)) is no event"
    case .invalidSize(let text): "\(Self.quoted(text)) is no size"
    case .negativeSize(let text): "the size \(Self.quoted(text)) is not above zero"
    case .absurdSize(let text): "the size \(Self.quoted(text)) is more than 1 PiB"
    case .absurdSum: "all sizes up to here are more than 4 EiB together"
    case .notAlive(let id, let event): "\(event) of \(Self.quoted(id)), which is not alive"
    case .deletedBeforeCreation(let id): "\(Self.quoted(id)) is deleted before it is created"
    case .clockBackwards(let from, let to): "the clock goes backwards, from \(from) to \(to)"
    case .duplicateID(let id, let line):
      "\(Self.quoted(id)) is there a second time\(line > 0 ? ", first in line \(line)" : "")"
    case .shrinks(let id): "\(Self.quoted(id)) would become smaller, which volumes cannot"
    case .mixedTimes(let text): "\(Self.quoted(text)): times are numbers in some lines and dates in others"
    case .invalidField(let reason): reason
    }
  }

  public var remedy: String {
    switch self {
    case .cannotRead: "check the path and its permissions"
    case .notCSV: "give a CSV file with a header line, or the JSON of kubectl get pvc -A -o json; see --help"
    case .notJSON: "give the whole, unchanged output of kubectl get pvc -A -o json"
    case .notClaims: "make it with: kubectl get pvc -A -o json > claims.json"
    case .lineTooLong: "look for a quote that is never closed"
    case .missingColumns:
      "name the columns time,event,volume,size (one line per change) or volume,created,deleted,size (one per volume)"
    case .fieldCount: "correct the line, or leave such lines out with --lenient"
    case .empty: "check that it is the right file"
    case .tooManyRows: "give one line per change (time,event,volume,size): such files are streamed"
    case .noID: "give every volume a name, or leave such lines out with --lenient"
    case .invalidNumber, .invalidField: "correct it, or leave such lines out with --lenient"
    case .invalidTime, .mixedTimes:
      "write seconds (12.5) or RFC 3339 (2026-11-22T10:00:00Z), the same in all lines, or leave such lines out with --lenient"
    case .unknownEvent: "write arrive, delete or grow, or leave such lines out with --lenient"
    case .invalidSize, .negativeSize:
      "write bytes or a quantity (10Gi), above zero, or leave such lines out with --lenient"
    case .absurdSize, .absurdSum:
      "check the unit: plain numbers are bytes (in disk_request and size_gib: GiB); or leave such lines out with --lenient"
    case .notAlive: "add the line of its arrival before it, or leave such lines out with --lenient"
    case .deletedBeforeCreation: "swap or correct the times, or leave such lines out with --lenient"
    case .clockBackwards: "sort the lines by time (sort -t, -k1,1g), or leave late ones out with --lenient"
    case .duplicateID: "give every volume a name of its own, or leave repetitions out with --lenient"
    case .shrinks: "give the new size, not the difference, or leave such lines out with --lenient"
    }
  }

  /// Whether the rest of the file can be used without the line.
  var isOfOneLine: Bool {
    switch self {
    case .cannotRead, .notCSV, .notJSON, .notClaims, .lineTooLong, .missingColumns, .empty, .tooManyRows: false
    default: true
    }
  }

  /// What is counted together.
  var kind: String {
    switch self {
    case .fieldCount: "wrong number of fields"
    case .noID: "no name"
    case .invalidNumber: "not a number"
    case .invalidTime, .mixedTimes: "not a time"
    case .unknownEvent: "unknown event"
    case .invalidSize: "not a size"
    case .negativeSize: "size not above zero"
    case .absurdSize, .absurdSum: "absurd size"
    case .notAlive: "change of a volume that is not alive"
    case .deletedBeforeCreation: "deleted before created"
    case .clockBackwards: "clock backwards"
    case .duplicateID: "name used twice"
    case .shrinks: "smaller than before"
    case .invalidField: "invalid field"
    default: "unreadable"
    }
  }

  /// Foreign text: short, in quotes, without control characters.
  private static func quoted(_ text: String) -> String {
    let shown = String(String.UnicodeScalarView(text.unicodeScalars.prefix(60).map { $0.value < 0x20 ? " " : $0 }))
    return "\"\(shown)\(text.unicodeScalars.count > 60 ? "…" : "")\""
  }
}
