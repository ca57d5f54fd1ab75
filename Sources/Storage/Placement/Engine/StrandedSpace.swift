/// What the free space is still good for, for volumes of one size.
public struct RoomForSize: Sendable, Hashable {
  /// How many more volumes of the size can be placed: Σ ⌊free / size⌋ over the pools of available nodes.
  public var slots: Int
  /// Free bytes beyond those slots, as a share of the whole capacity: Σ (free − size·⌊free / size⌋) / Σ capacity.
  public var stranded: Double
}

extension PlacementState {
  /// Slots and stranded space for volumes of a size in bytes, over the pools of one device class.
  /// `stranded(q)` and `slots(q)` of the benchmark are these for the q-quantile of request sizes.
  public func room(for bytes: Int64, deviceClass: Int = 0) -> RoomForSize {
    var (slots, stranded, capacity) = (0, Int64(0), Int64(0))
    for node in 0..<nodeCount where available[node] {
      guard let pool = pool(of: node, deviceClass: deviceClass) else { continue }
      capacity += self.capacity[pool]
      guard bytes > 0, largest[pool] >= bytes else {
        stranded += bytes > 0 ? free[pool] : 0
        continue
      }
      slots += Int(free[pool] / bytes)
      stranded += free[pool] % bytes
    }
    return RoomForSize(slots: slots, stranded: capacity == 0 ? 0 : Double(stranded) / Double(capacity))
  }
}
