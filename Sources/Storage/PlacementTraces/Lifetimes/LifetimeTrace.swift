import Placement
import PlacementSimulator

/// A recorded history with one line per volume, in any order.
///
/// Columns: `volume` (a name), `created` and `deleted` (seconds or RFC 3339; empty: alive at the start, or to the end),
/// `size` (bytes or a quantity), and where they are there `class`, `cpu` (cores), `memory`. The columns of Alibaba's
/// cluster traces are known (`instance_sn`, `creation_time`, `deletion_time`, `disk_request` in GiB, `cpu_request`,
/// `memory_request` in GiB). All lines are held, in 56 bytes each.
public struct LifetimeTrace: Workload {
  /// Lines that a file may have: about 3 GB of memory.
  public static let rowLimit = 50_000_000

  public let path: String
  public let summary: TraceSummary
  private let rows: [LifetimeRow]

  /// - Parameter isLenient: wrong lines are counted in `summary.warnings` and left out.
  public init(path: String, isLenient: Bool = false) throws(TraceError) {
    try self.init(CSVReader(path: path), file: path, isLenient: isLenient)
  }

  init(_ reader: CSVReader, file: String, isLenient: Bool) throws(TraceError) {
    path = file
    var loader = try LifetimeLoader(reader, file: file, isLenient: isLenient)
    rows = try loader.load()
    guard !rows.isEmpty else { throw TraceError(.empty, file: file) }
    var live = LiveBytes()
    var stream = LifetimeStream(rows: rows)
    while let event = stream.next() { live.note(event) }
    var summary = live.summary
    summary.rows = rows.count
    summary.initial = loader.initial
    summary.deviceClasses = loader.classes.names
    summary.warnings = loader.warnings
    self.summary = summary
  }

  public func events(seed: UInt64) -> any SimulationEventStream { LifetimeStream(rows: rows) }
}

/// One volume.
struct LifetimeRow {
  var created: Double
  /// Infinite: alive to the end.
  var deleted: Double
  var bytes: Int64
  var memoryBytes: Int64
  /// Of the name, to find repetitions.
  var fingerprint: UInt64
  var line: UInt32
  var milliCPU: Int32
  var deviceClass: UInt16
}

/// Merges arrivals with the ends of lives; at one time room is given back before it is asked for.
struct LifetimeStream: SimulationEventStream {
  let rows: [LifetimeRow]
  private var position = 0
  private var ends = EventQueue()

  init(rows: [LifetimeRow]) { self.rows = rows }

  mutating func next() -> SimulationEvent? {
    if let end = ends.nextTime, position >= rows.count || end <= rows[position].created { return ends.pop() }
    guard position < rows.count else { return nil }
    let (row, id) = (rows[position], position)
    position += 1
    if row.deleted < .infinity { ends.push(SimulationEvent(time: row.deleted, id: id, change: .delete)) }
    let demand = PlacementDemand(
      bytes: row.bytes, deviceClass: Int(row.deviceClass), milliCPU: Int64(row.milliCPU), memoryBytes: row.memoryBytes)
    return SimulationEvent(time: row.created, id: id, change: .arrive(demand))
  }
}
