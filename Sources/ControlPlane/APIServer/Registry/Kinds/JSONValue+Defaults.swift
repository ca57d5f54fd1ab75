import JSONDocument

extension JSONValue {
  /// Sets a member that is missing or null.
  mutating func setDefault(_ key: String, _ value: JSONValue) {
    if self[key].isNull, !value.isNull { self[key] = value }
  }

  /// Changes every element of the array under `key`, if there is one.
  mutating func updateElements(_ key: String, _ change: (inout JSONValue) -> Void) {
    guard case .array(var elements) = self[key] else { return }
    for index in elements.indices { change(&elements[index]) }
    self[key] = .array(elements)
  }

  /// Changes the object under `key`, if there is one.
  mutating func updateMember(_ key: String, _ change: (inout JSONValue) -> Void) {
    guard case .object = self[key] else { return }
    change(&self[key])
  }
}
