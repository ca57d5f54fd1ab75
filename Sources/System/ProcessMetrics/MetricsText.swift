/// Figures at one instant, in Prometheus' text format (exposition formats, version 0.0.4).
///
/// Samples of one name and the same labels are added up: several of a kind in a process are one to those who look.
public struct MetricsText: Sendable {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private struct Family: Sendable {
    var type: String
    var help: String
    /// Of samples, in the order in which they came.
    var names: [String] = []
    var values: [String: Double] = [:]
  }

  private var families: [String: Family] = [:]
  private var order: [String] = []

  public init() {}

  /// - Parameters:
  ///   - name: with its unit, such as `nagaya_x_seconds_total`.
  ///   - labels: names and values, in the order in which they are shown.
  public mutating func counter(
    _ name: String, _ help: String, _ value: Double, _ labels: KeyValuePairs<String, String> = [:]
  ) { add(value, to: name, "counter", help, sample: name, labels) }

  public mutating func counter(
    _ name: String, _ help: String, _ value: Int, _ labels: KeyValuePairs<String, String> = [:]
  ) { counter(name, help, Double(value), labels) }

  public mutating func gauge(
    _ name: String, _ help: String, _ value: Double, _ labels: KeyValuePairs<String, String> = [:]
  ) { add(value, to: name, "gauge", help, sample: name, labels) }

  public mutating func gauge(
    _ name: String, _ help: String, _ value: Int, _ labels: KeyValuePairs<String, String> = [:]
  ) { gauge(name, help, Double(value), labels) }

  /// - Parameters:
  ///   - bounds: upper bounds of buckets, rising; what lies above all of them has a bucket of its own.
  ///   - counts: what fell in each bucket alone; one more than `bounds`.
  ///   - sum: of all that was measured.
  public mutating func histogram(_ name: String, _ help: String, bounds: [Double], counts: [Int], sum: Double) {
    var total = 0
    for (position, count) in counts.enumerated() {
      total += count
      let bound = position < bounds.count ? "\(bounds[position])" : "+Inf"
      add(Double(total), to: name, "histogram", help, sample: "\(name)_bucket", ["le": bound])
    }
    add(sum, to: name, "histogram", help, sample: "\(name)_sum", [:])
    add(Double(total), to: name, "histogram", help, sample: "\(name)_count", [:])
  }

  /// Adds what another one says.
  public mutating func merge(_ other: MetricsText) {
    for name in other.order {
      guard let family = other.families[name] else { continue }
      for sample in family.names {
        add(family.values[sample] ?? 0, to: name, family.type, family.help, rendered: sample)
      }
    }
  }

  private mutating func add(
    _ value: Double, to name: String, _ type: String, _ help: String, sample: String,
    _ labels: KeyValuePairs<String, String>
  ) {
    let list = labels.map { "\($0.key)=\"\(Self.escaped($0.value, quotes: true))\"" }.joined(separator: ",")
    add(value, to: name, type, help, rendered: list.isEmpty ? sample : "\(sample){\(list)}")
  }

  private mutating func add(_ value: Double, to name: String, _ type: String, _ help: String, rendered sample: String) {
    if families[name] == nil {
      families[name] = Family(type: type, help: help)
      order.append(name)
    }
    if families[name]?.values[sample] == nil { families[name]?.names.append(sample) }
    families[name]?.values[sample, default: 0] += value
  }

  /// The text; families in the order in which they came first.
  public var text: String {
    var text = ""
    for name in order {
      guard let family = families[name] else { continue }
      text += "# HELP \(name) \(Self.escaped(family.help, quotes: false))\n# TYPE \(name) \(family.type)\n"
      for sample in family.names { text += "\(sample) \(Self.number(family.values[sample] ?? 0))\n" }
    }
    return text
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return value.rounded() == value && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
