import JSONDocument
import KubernetesAPI

/// A value in a described workload, and where it stands.
struct WorkloadField {
  let value: JSONValue
  let path: String
  let file: String

  init(_ value: JSONValue, path: String, file: String) {
    self.value = value
    self.path = path
    self.file = file
  }

  var isMissing: Bool { value.isNull }

  subscript(key: String) -> WorkloadField {
    WorkloadField(value[key], path: path.isEmpty ? key : "\(path).\(key)", file: file)
  }

  func error(_ reason: String) -> TraceError {
    TraceError(.invalidField(reason: reason), file: file, columnName: path)
  }

  /// Members that are not known are slips of the pen.
  func allowOnly(_ keys: [String]) throws(TraceError) {
    guard case .object(let members) = value else { throw error("must have \(keys.joined(separator: ", "))") }
    for key in members.keys.sorted() where !keys.contains(key) {
      throw self[key].error("is not known; there are \(keys.joined(separator: ", "))")
    }
  }

  /// The elements of a list that is not empty.
  func list() throws(TraceError) -> [WorkloadField] {
    guard case .array(let elements) = value, !elements.isEmpty else {
      throw error(isMissing ? "is missing" : "must be a list with at least one entry")
    }
    return elements.enumerated().map { WorkloadField($0.element, path: "\(path)[\($0.offset)]", file: file) }
  }

  func text(or standard: String? = nil) throws(TraceError) -> String {
    if isMissing, let standard { return standard }
    guard let text = value.string, !text.isEmpty, text.utf8.count <= 253 else { throw error("must be a word") }
    return text
  }

  func number(_ range: ClosedRange<Double>, or standard: Double? = nil) throws(TraceError) -> Double {
    if isMissing, let standard { return standard }
    let number: Double
    switch value {
    case .integer(let whole): number = Double(whole)
    case .number(let decimal): number = decimal
    default: throw error(isMissing ? "is missing" : "must be a number")
    }
    guard range.contains(number) else {
      throw error("must be between \(short(range.lowerBound)) and \(short(range.upperBound))")
    }
    return number
  }

  private func short(_ number: Double) -> String {
    Int64(exactly: number).map(String.init) ?? String(number)
  }

  func whole(_ range: ClosedRange<Int>, or standard: Int) throws(TraceError) -> Int {
    if isMissing { return standard }
    guard case .integer(let whole) = value, let number = Int(exactly: whole), range.contains(number) else {
      throw error("must be a whole number between \(range.lowerBound) and \(range.upperBound)")
    }
    return number
  }

  private func quantity() throws(TraceError) -> Quantity {
    let text: String
    switch value {
    case .integer(let whole): text = String(whole)
    case .string(let written): text = written
    default: throw error(isMissing ? "is missing" : "must be a quantity, such as 10Gi")
    }
    guard let quantity = Quantity(text), quantity.milli > 0 else {
      throw error("must be a quantity above zero, such as 10Gi")
    }
    return quantity
  }

  /// Bytes, at most an exbibyte.
  func bytes() throws(TraceError) -> Int64 {
    let bytes = try quantity().value
    guard bytes <= 1 << 60 else { throw error("is more than 1 Ei") }
    return bytes
  }

  /// Thousandths of a core.
  func milli() throws(TraceError) -> Int64 {
    if case .number(let cores) = value, (0.001...1e6).contains(cores) { return Int64(cores * 1000) }
    let milli = try quantity().milliValue
    guard milli <= 1_000_000_000 else { throw error("is more than a million cores") }
    return milli
  }

  /// A span such as `90s`, `12h`, `30d`, or a number of seconds.
  func seconds(or standard: Double? = nil, orZero: Bool = false) throws(TraceError) -> Double {
    if isMissing, let standard { return standard }
    let seconds: Double?
    switch value {
    case .integer(let whole): seconds = Double(whole)
    case .number(let decimal): seconds = decimal
    case .string(let text):
      let factor = text.last.flatMap { ["s": 1.0, "m": 60, "h": 3600, "d": 86_400, "w": 604_800][$0] }
      seconds = factor.flatMap { factor in
        DecimalField.value(Array(text.utf8.dropLast())[...]).map { $0 * factor }
      }
    default: seconds = nil
    }
    guard let seconds, seconds.isFinite, seconds > 0 || (orZero && seconds == 0), seconds < 1e12 else {
      throw error(isMissing ? "is missing" : "must be a span of time, such as 90s, 12h or 30d")
    }
    return seconds
  }
}
