import JSONDocument

/// What a node says of the limits that its hooks gave the containers of a pod.
///
/// The hooks annotate each container, in the runtime, with the limits that it was made with; the node agent tells of all
/// containers by one annotation of the pod: a JSON object with a list of lines for each, such as
/// `{"db":["pids 256, by policy db-defaults"]}`.
public enum HookLimits {
  /// Of the pod, written by its node; of the container in the runtime, written by the hooks.
  public static let annotation = "hooks.nagaya.dev/limits"
  /// Bytes of what a container's annotation says.
  public static let mostOfContainer = 1024
  /// Bytes of what a pod's annotation says, of its containers together.
  public static let mostOfPod = 4096

  /// Beginnings of lines about what is set when a container is made, and stays.
  private static let fixed = ["ulimit ", "pids ", "oom-score "]
  /// Beginnings of lines about what changes while it runs.
  private static let live = ["memory ", "cpu ", "io.max "]

  /// The limits among all that was decided for a container that is being made.
  public static func lines(_ decided: [String]) -> [String] { bounded(decided.filter { isAny(fixed + live, $0) }) }

  /// The limits that hold for a running container after something else was decided.
  /// - Parameter made: what it was made with.
  public static func lines(made: [String], now decided: [String]) -> [String] {
    bounded(made.filter { isAny(fixed, $0) } + decided.filter { isAny(live, $0) })
  }

  private static func isAny(_ beginnings: [String], _ line: String) -> Bool {
    beginnings.contains { line.hasPrefix($0) }
  }

  private static func bounded(_ lines: [String]) -> [String] { cut(lines, to: mostOfContainer) }

  /// As many lines as fit; the last one says that there are more.
  private static func cut(_ lines: [String], to most: Int) -> [String] {
    var left = most - 8
    var kept: [String] = []
    for line in lines {
      left -= line.utf8.count + 4
      guard left >= 0 else { return kept + ["..."] }
      kept.append(line)
    }
    return kept
  }

  /// The annotation of a pod.
  /// - Parameter containers: lines by the container's name.
  /// - Returns: `nil` if no container has any.
  public static func annotation(_ containers: [String: [String]]) -> String? {
    let limited = containers.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.prefix(32)
    guard !limited.isEmpty else { return nil }
    // Names have at most 63 bytes.
    let share = mostOfPod / limited.count - 72
    var json: JSONValue = [:]
    for (name, lines) in limited { json[name] = .array(cut(lines, to: share).map { .string($0) }) }
    return String(decoding: json.encoded(), as: UTF8.self)
  }

  /// What an annotation of a pod says, by container; nothing if it can't be read.
  public static func read(_ annotation: String) -> [(container: String, lines: [String])] {
    guard annotation.utf8.count <= 4 * mostOfPod, let json = try? JSONValue(parsing: annotation) else { return [] }
    return json.members.sorted { $0.key < $1.key }.map { ($0.key, $0.value.elements.compactMap(\.string)) }
  }
}
