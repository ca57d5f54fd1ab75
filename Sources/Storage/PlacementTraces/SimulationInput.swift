import JSONDocument

/// What a simulation is told to run on: a described workload or a recorded history.
public enum SimulationInput: Sendable {
  case workload(WorkloadFile)
  case history(TraceFile)

  /// Looks at the files and picks the reader.
  /// - Throws: `TraceError`.
  public static func open(_ paths: [String], _ options: TraceFile.Options = .init()) throws(TraceError)
    -> SimulationInput
  {
    if paths.count == 1, let path = paths.first, try isWorkload(path) { return .workload(try WorkloadFile(path: path)) }
    return .history(try TraceFile.open(paths, options))
  }

  /// YAML by its name; JSON where it is an object without claims.
  private static func isWorkload(_ path: String) throws(TraceError) -> Bool {
    if path.hasSuffix(".yaml") || path.hasSuffix(".yml") { return true }
    guard path.hasSuffix(".json") else { return false }
    let bytes = try FileBytes.all(of: path, limit: ClaimSnapshot.limit)
    guard bytes.count <= WorkloadFile.limit, let document = try? JSONValue(parsing: bytes) else { return false }
    return document["items"].isNull && !document["sizes"].isNull
  }
}
