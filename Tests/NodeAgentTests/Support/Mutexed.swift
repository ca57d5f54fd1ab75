import Locking

/// Values that a test's closures share.
final class Mutexed<Value: Sendable>: Sendable {
  private let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
}

extension Mutexed where Value == [String: String] {
  func set(_ key: String, _ text: String) { value.withLock { $0[key] = text } }
  func get(_ key: String) -> String? { value.withLock { $0[key] } }
}
