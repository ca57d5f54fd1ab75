/// Device classes by the order in which they appear.
struct DeviceClassNames {
  private(set) var names: [String] = []
  private var indices: [String: Int] = [:]

  /// The index of a name; no name is `default`.
  mutating func index(of name: String) -> Int {
    let name = name.isEmpty ? "default" : name
    if let index = indices[name] { return index }
    indices[name] = names.count
    names.append(name)
    return names.count - 1
  }
}
