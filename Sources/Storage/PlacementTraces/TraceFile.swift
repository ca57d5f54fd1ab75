import PlacementSimulator

/// A history of requests, whatever form its file has.
public enum TraceFile: Sendable {
  case events(EventTrace)
  case lifetimes(LifetimeTrace)
  case claims(ClaimHistory)

  public struct Options: Sendable, Hashable {
    /// Leave wrong lines out and count them.
    public var isLenient = false
    /// Of claims: only those of this storage class.
    public var storageClass: String?

    public init(isLenient: Bool = false, storageClass: String? = nil) {
      self.isLenient = isLenient
      self.storageClass = storageClass
    }
  }

  /// Reads and checks histories: one CSV file, or one or several snapshots of claims.
  /// - Throws: `TraceError`.
  public static func open(_ paths: [String], _ options: Options = Options()) throws(TraceError) -> TraceFile {
    guard let first = paths.first else { throw TraceError(.cannotRead(reason: "no file was named"), file: "") }
    var isJSON: [Bool] = []
    for path in paths { isJSON.append(try looksLikeJSON(path)) }
    if isJSON.allSatisfy({ $0 }) {
      var snapshots: [ClaimSnapshot] = []
      for path in paths {
        snapshots.append(
          try ClaimSnapshot(path: path, storageClass: options.storageClass, isLenient: options.isLenient))
      }
      return .claims(try ClaimHistory(snapshots))
    }
    guard paths.count == 1 else {
      throw TraceError(
        .notClaims(reason: "several files make a history only if all are claims"),
        file: paths[isJSON.firstIndex(of: false) ?? 0])
    }
    var reader = try CSVReader(path: first)
    var header = CSVRecord()
    guard try reader.next(&header) else { throw TraceError(.empty, file: first) }
    return try TraceColumns(file: first, header: header).isByEvent
      ? .events(EventTrace(path: first, isLenient: options.isLenient))
      : .lifetimes(LifetimeTrace(path: first, isLenient: options.isLenient))
  }

  /// The history for the simulator.
  public var workload: any Workload {
    switch self {
    case .events(let trace): trace
    case .lifetimes(let trace): trace
    case .claims(let history): history
    }
  }

  public var summary: TraceSummary {
    switch self {
    case .events(let trace): trace.summary
    case .lifetimes(let trace): trace.summary
    case .claims(let history): history.summary
    }
  }

  private static func looksLikeJSON(_ path: String) throws(TraceError) -> Bool {
    let bytes = try FileBytes(path)
    let start = try bytes.next().first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
    return start == UInt8(ascii: "{") || start == UInt8(ascii: "[")
  }
}
