/// Bytes for people: `812 B`, `1.4 MiB`.
enum ByteCount {
  static func text(_ bytes: Int64) -> String {
    guard bytes >= 1024 else { return "\(bytes) B" }
    var tenths = bytes * 10
    var unit = 0
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while tenths >= 10_240, unit < units.count - 1 {
      tenths /= 1024
      unit += 1
    }
    return tenths % 10 == 0 ? "\(tenths / 10) \(units[unit])" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }
}
