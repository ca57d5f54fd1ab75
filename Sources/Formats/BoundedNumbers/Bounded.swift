/// A range with a name: where a number from outside is checked once, so that the error can say what would be right.
///
/// `let mode = Bounded("defaultMode", 0...0o777)`; `try mode.check(value)` gives the value as an `Int` or throws `OutOfBounds`.
public struct Bounded<Value: FixedWidthInteger & Sendable>: Sendable {
  /// The field as people know it.
  public let name: String
  public let range: ClosedRange<Value>

  public init(_ name: String, _ range: ClosedRange<Value>) {
    self.name = name
    self.range = range
  }

  /// - Throws: `OutOfBounds` if the value lies outside or does not fit the type.
  public func check(_ value: some BinaryInteger) throws(OutOfBounds) -> Value {
    guard let exact = Value(exactly: value), range.contains(exact) else {
      throw OutOfBounds(name: name, value: "\(value)", range: "\(range.lowerBound) and \(range.upperBound)")
    }
    return exact
  }

  /// The value, moved into the range.
  public func clamp(_ value: some BinaryInteger) -> Value { Value(clamping: value).clamped(to: range) }
}

/// A number from outside lies outside what its field may hold.
public struct OutOfBounds: Error, Hashable, CustomStringConvertible {
  public let name: String
  public let value: String
  let range: String

  public var description: String { "\(name): \(value) must be between \(range), inclusive" }
}
