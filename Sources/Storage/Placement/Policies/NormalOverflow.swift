#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The unit normal loss L(z) = E[(Z + z)⁺] = φ(z) + zΦ(z), from a table: a decision asks for it once per node or more.
///
/// Source: any inventory-theory text ("unit normal loss integral"). The table is linear between 1,024 points per 8 units
/// on each side; the error stays below 1e-5.
enum NormalOverflow {
  private static let reach = 6.0
  private static let perUnit = 128.0
  private static let table: [Float] = (0...Int(2 * reach * perUnit) + 1).map { index in
    let z = Double(index) / perUnit - reach
    let density = exp(-z * z / 2) * 0.398_942_280_401_432_7
    return Float(density + z * 0.5 * erfc(-z * 0.707_106_781_186_547_5))
  }

  /// The table, to be fetched once before a loop.
  static var values: [Float] { table }

  /// E[(x + σZ)⁺] in the units of x.
  @inline(__always)
  static func of(_ x: Double, sigma: Double, _ values: [Float]) -> Double {
    guard sigma > 0 else { return max(0, x) }
    let z = x / sigma
    if z <= -reach { return 0 }
    if z >= reach { return x }
    let position = (z + reach) * perUnit
    let index = Int(position)
    let part = position - Double(index)
    let low = Double(values[index])
    return sigma * (low + part * (Double(values[index + 1]) - low))
  }
}
