/// Several processes' figures as one text: each family once, each sample with the label of its process.
public struct MetricsMerge: Sendable {
  private let label: String
  private var order: [String] = []
  private var heads: [String: [Substring]] = [:]
  private var samples: [String: [String]] = [:]

  /// - Parameter label: the label that names the process, such as `part`.
  public init(label: String) { self.label = label }

  /// Adds a process's text.
  /// - Parameter value: names the process: letters, digits and hyphens.
  public mutating func add(_ text: String, of value: String) {
    var family = ""
    var isHead = false
    for line in text.split(separator: "\n") {
      if line.hasPrefix("#") {
        let words = line.split(separator: " ", maxSplits: 3)
        guard words.count >= 3, words[1] == "HELP" || words[1] == "TYPE" else { continue }
        let name = String(words[2])
        if name != family {
          family = name
          isHead = samples[name] == nil
          if isHead {
            order.append(name)
            samples[name] = []
          }
        }
        if isHead { heads[name, default: []].append(line) }
        continue
      }
      guard !family.isEmpty, let end = line.firstIndex(where: { $0 == "{" || $0 == " " }) else { continue }
      let rest = line[line.index(after: end)...]
      let own = "\(label)=\"\(value)\""
      samples[family]?.append(
        line[end] == "{" ? "\(line[..<end]){\(own),\(rest)" : "\(line[..<end]){\(own)} \(rest)")
    }
  }

  public var text: String {
    order.map { name in
      ((heads[name] ?? []).map(String.init) + (samples[name] ?? [])).joined(separator: "\n") + "\n"
    }.joined()
  }
}
