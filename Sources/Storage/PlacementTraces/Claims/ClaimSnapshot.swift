import Glibc
import JSONDocument
import KubernetesAPI

/// The claims of a cluster at a moment: one output of `kubectl get pvc -A -o json`.
public struct ClaimSnapshot: Sendable, Hashable {
  public struct Claim: Sendable, Hashable {
    public var uid: String
    /// `namespace/name`
    public var name: String
    public var storageClass: String
    /// Seconds since 1970.
    public var created: Double
    /// What is asked for, in bytes.
    public var bytes: Int64
    /// The node it was provisioned for, where the scheduler has written it down.
    public var node: String?
    public var isBound: Bool
  }

  public var file: String
  /// Seconds since 1970.
  public var time: Double
  public var claims: [Claim]
  public var warnings = TraceWarnings()

  /// Bytes that one file may have; a claim has about 2 KB.
  static let limit = 512 << 20

  /// Reads a file. Its time is a date in its name (`claims-2026-11-22T10:00:00Z.json`), else that of its last change;
  /// never before the youngest claim in it.
  /// - Parameter storageClass: only claims of this class; `nil`: all.
  public init(path: String, storageClass: String? = nil, isLenient: Bool = false) throws(TraceError) {
    var status = stat()
    let changed = stat(path, &status) == 0 ? Double(status.st_mtim.tv_sec) : 0
    try self.init(
      FileBytes.all(of: path, limit: Self.limit), file: path, time: Self.date(inNameOf: path) ?? changed,
      storageClass: storageClass, isLenient: isLenient)
  }

  init(_ bytes: [UInt8], file: String, time: Double, storageClass: String?, isLenient: Bool) throws(TraceError) {
    self.file = file
    self.time = time
    claims = []
    let document: JSONValue
    do {
      document = try JSONValue(parsing: bytes, limits: JSONLimits(bytes: Self.limit))
    } catch {
      let place = Self.place(of: error.offset, in: bytes)
      throw TraceError(.notJSON(reason: "\(error)"), file: file, line: place.line, column: place.column)
    }
    try read(document, storageClass: storageClass, isLenient: isLenient)
  }

  private mutating func read(_ document: JSONValue, storageClass: String?, isLenient: Bool) throws(TraceError) {
    guard case .array(let items) = document["items"] else {
      throw TraceError(.notClaims(reason: "it has no items"), file: file)
    }
    var lines: [String: Int] = [:]
    for (index, item) in items.enumerated() {
      do throws(TraceError) {
        let claim = try Self.claim(item, index, file)
        guard lines[claim.uid] == nil else {
          throw TraceError(.duplicateID(claim.name, firstLine: 0), file: file, columnName: "items[\(index)]")
        }
        lines[claim.uid] = index
        if let storageClass, claim.storageClass != storageClass { continue }
        claims.append(claim)
      } catch {
        guard isLenient, error.problem.isOfOneLine else { throw error }
        warnings.add(error)
      }
    }
    time = max(time, claims.map(\.created).max() ?? time)
  }

  private static func claim(_ item: JSONValue, _ index: Int, _ file: String) throws(TraceError) -> Claim {
    func error(_ problem: TraceError.Problem, _ path: String) -> TraceError {
      TraceError(problem, file: file, columnName: "items[\(index)].\(path)")
    }
    guard item["kind"].string ?? "PersistentVolumeClaim" == "PersistentVolumeClaim", item["spec"] != .null else {
      throw TraceError(
        .notClaims(reason: "items[\(index)] is a \(item["kind"].string ?? "thing without a kind")"), file: file)
    }
    let metadata = item["metadata"]
    guard let uid = metadata["uid"].string, !uid.isEmpty else { throw error(.noID, "metadata.uid") }
    let created = metadata["creationTimestamp"].string ?? ""
    guard let date = Timestamp(created) else { throw error(.invalidTime(created), "metadata.creationTimestamp") }
    let request = item["spec"]["resources"]["requests"]["storage"]
    let text = request.string ?? String(decoding: request.encoded(), as: UTF8.self)
    let path = "spec.resources.requests.storage"
    guard let quantity = Quantity(text) else { throw error(.invalidSize(text), path) }
    guard quantity.milli > 0 else { throw error(.negativeSize(text), path) }
    guard quantity.milli <= Int128(TraceColumns.largestBytes) * 1000 else { throw error(.absurdSize(text), path) }
    return Claim(
      uid: uid, name: "\(metadata["namespace"].string ?? "")/\(metadata["name"].string ?? "")",
      storageClass: item["spec"]["storageClassName"].string ?? "", created: Double(date.microseconds) / 1e6,
      bytes: quantity.value, node: metadata["annotations"]["volume.kubernetes.io/selected-node"].string,
      isBound: item["status"]["phase"].string == "Bound")
  }

  /// The line and the byte within it, both from 1.
  private static func place(of offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
    let before = bytes.prefix(offset)
    let line = before.count { $0 == 0x0A } + 1
    let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    return (line, before.count - start + 1)
  }

  /// A date such as `2026-11-22T10:00:00Z` or `2026-11-22T10-00-00Z` within a file's name.
  static func date(inNameOf path: String) -> Double? {
    let name = Array((path.split(separator: "/").last ?? "").utf8)
    guard name.count >= 20 else { return nil }
    for start in 0...(name.count - 20) {
      var text = Array(name[start..<(start + 20)])
      for position in [13, 16] where text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "_") {
        text[position] = UInt8(ascii: ":")
      }
      if let date = Timestamp(String(decoding: text, as: UTF8.self)) { return Double(date.microseconds) / 1e6 }
    }
    return nil
  }
}
