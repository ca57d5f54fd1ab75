import KubernetesAPI

/// Times of a history: seconds from its start, or dates. One file has one kind.
struct TraceTime {
  enum Kind { case seconds, dates }
  private(set) var kind: Kind?

  enum Failure: Error { case invalid, mixed }

  /// Seconds: from the start of the history, or since 1970 for dates.
  mutating func seconds(_ field: ArraySlice<UInt8>) throws(Failure) -> Double {
    let value: Double
    let found: Kind
    if let number = DecimalField.value(field), abs(number) < 1e15 {
      (value, found) = (number, .seconds)
    } else if let date = Timestamp(String(decoding: field, as: UTF8.self)) {
      (value, found) = (Double(date.microseconds) / 1e6, .dates)
    } else {
      throw .invalid
    }
    guard kind == nil || kind == found else { throw .mixed }
    kind = found
    return value
  }
}
