import Placement
import PlacementSimulator

/// A recorded history with one line per change, in the order of time.
///
/// Columns: `time` (seconds or RFC 3339), `event` (`arrive`, `delete` or `grow`), `volume` (a name), `size` (bytes or a
/// quantity; the new size of `grow`; empty for `delete`), and where they are there `class`, `cpu` (cores), `memory`.
/// A name may come back after its deletion. The file is read anew for each run; memory holds what is alive.
public struct EventTrace: Workload {
  public let path: String
  public let isLenient: Bool
  public let summary: TraceSummary

  /// Reads the whole file once and checks it.
  /// - Parameter isLenient: wrong lines are counted in `summary.warnings` and left out.
  public init(path: String, isLenient: Bool = false) throws(TraceError) {
    self.path = path
    self.isLenient = isLenient
    summary = try Self.check(CSVReader(path: path), file: path, isLenient: isLenient)
  }

  /// - Throws: `TraceError`, for example where the file has changed since.
  public func events(seed: UInt64) throws -> any SimulationEventStream {
    try EventTraceStream(CSVReader(path: path), file: path, isLenient: isLenient)
  }

  static func check(_ reader: CSVReader, file: String, isLenient: Bool) throws(TraceError) -> TraceSummary {
    var stream = try EventTraceStream(reader, file: file, isLenient: isLenient)
    var live = LiveBytes()
    while let event = try stream.read() { live.note(event) }
    guard live.summary.requests > 0 else { throw TraceError(.empty, file: file) }
    var summary = live.summary
    summary.rows = stream.rows
    summary.deviceClasses = stream.classes.names
    summary.warnings = stream.warnings
    return summary
  }
}

/// The events of a file, one by one.
struct EventTraceStream: SimulationEventStream {
  private var reader: CSVReader
  private var record = CSVRecord()
  private let columns: TraceColumns
  private let isLenient: Bool
  private var clock = TraceTime()
  private var lastTime = -Double.infinity
  private var origin = 0.0
  private var nextID = 0
  private var sum: Int64 = 0
  /// By name: what is alive.
  private var live: [String: (id: Int, bytes: Int64)] = [:]
  private(set) var classes = DeviceClassNames()
  private(set) var rows = 0
  private(set) var warnings = TraceWarnings()

  init(_ reader: CSVReader, file: String, isLenient: Bool) throws(TraceError) {
    self.reader = reader
    self.isLenient = isLenient
    guard try self.reader.next(&record) else { throw TraceError(.empty, file: file) }
    columns = try TraceColumns(file: file, header: record)
    try columns.require([.time, .event, .volume, .size])
  }

  mutating func next() throws -> SimulationEvent? { try read() }

  mutating func read() throws(TraceError) -> SimulationEvent? {
    while try reader.next(&record) {
      do throws(TraceError) {
        let event = try event()
        rows += 1
        return event
      } catch {
        guard isLenient, error.problem.isOfOneLine else { throw error }
        warnings.add(error)
      }
    }
    return nil
  }

  private mutating func event() throws(TraceError) -> SimulationEvent {
    try columns.check(record)
    let time = try time()
    let name = try columns.volume(record)
    let change: SimulationEvent.Change
    let id: Int
    let kind = columns.text(.event, record).lowercased()
    switch kind {
    case "arrive", "create", "add":
      let demand = try demand()
      guard live[name] == nil else {
        throw columns.error(.duplicateID(name, firstLine: 0), .volume, record)
      }
      sum = try columns.sum(sum, demand.totalBytes, record)
      id = nextID
      nextID += 1
      live[name] = (id, demand.totalBytes)
      change = .arrive(demand)
    case "delete", "remove":
      guard let volume = live.removeValue(forKey: name) else {
        throw columns.error(.notAlive(id: name, event: kind), .volume, record)
      }
      id = volume.id
      change = .delete
    case "grow", "expand", "resize":
      let bytes = try columns.size(record)
      guard let volume = live[name] else {
        throw columns.error(.notAlive(id: name, event: kind), .volume, record)
      }
      guard bytes >= volume.bytes else { throw columns.error(.shrinks(id: name), .size, record) }
      sum = try columns.sum(sum, bytes, record)
      live[name] = (volume.id, bytes)
      id = volume.id
      change = .grow(volume: 0, toBytes: bytes)
    default: throw columns.error(.unknownEvent(kind), .event, record)
    }
    // Only a line that is used moves the clock.
    if lastTime == -.infinity { origin = clock.kind == .dates ? time : min(0, time) }
    lastTime = time
    return SimulationEvent(time: time - origin, id: id, change: change)
  }

  private mutating func time() throws(TraceError) -> Double {
    let field = columns.bytes(.time, record)
    let time: Double
    do {
      time = try clock.seconds(field)
    } catch {
      let text = String(decoding: field, as: UTF8.self)
      throw columns.error(error == .mixed ? .mixedTimes(text) : .invalidTime(text), .time, record)
    }
    guard time >= lastTime else {
      throw columns.error(.clockBackwards(from: "\(lastTime)", to: "\(time)"), .time, record)
    }
    return time
  }

  private mutating func demand() throws(TraceError) -> PlacementDemand {
    PlacementDemand(
      bytes: try columns.size(record), deviceClass: classes.index(of: columns.text(.deviceClass, record)),
      milliCPU: Int64(try columns.milliCPU(record)), memoryBytes: try columns.memory(record))
  }
}
