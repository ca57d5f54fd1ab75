import BoundedNumbers
import KubernetesAPI
import KubernetesClient
import LinuxSystem

/// Turns the bytes of a log file into what a reader asked for.
struct ContainerLogFilter {
  private let timestamps: Bool
  private let since: Timestamp?
  private var bytesLeft: Int
  /// The end of the last chunk that is no whole line yet.
  private var rest: [UInt8] = []
  /// The last line was partial: its continuation gets no time.
  private var continues = false

  init(_ options: PodLogOptions, now: Timestamp) {
    timestamps = options.timestamps
    since =
      options.sinceTime ?? options.sinceSeconds.map { now.adding(seconds: Int64(0).clampedSubtracting(Int64($0))) }
    bytesLeft = max(0, options.limitBytes ?? .max)
  }

  /// The reader's limit is reached.
  var isFull: Bool { bytesLeft <= 0 }

  mutating func take(_ chunk: some Collection<UInt8>) -> [UInt8] {
    rest += chunk
    var output: [UInt8] = []
    var start = rest.startIndex
    while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
      append(rest[start..<end], to: &output)
      start = end + 1
    }
    rest.removeFirst(start)
    // A line that never ends is not kept in memory.
    if rest.count > 1 << 20 { rest.removeAll() }
    if output.count > bytesLeft { output.removeLast(output.count - bytesLeft) }
    bytesLeft -= output.count
    return output
  }

  private mutating func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
    guard let line = ContainerLogLine(parsing: bytes) else { return }
    if let since, let time = line.timestamp, time < since { return }
    if timestamps, !continues {
      output += line.time
      output.append(UInt8(ascii: " "))
    }
    output += line.text
    if !line.isPartial { output.append(UInt8(ascii: "\n")) }
    continues = line.isPartial
  }

  /// The end of a log as the message of a container that left none: at most 80 lines and 2 KiB (core/v1
  /// `TerminationMessageFallbackToLogsOnError`).
  static func lastWords(ofLog path: String) -> String {
    guard let bytes = try? SmallFile.read(path) else { return "" }
    var filter = ContainerLogFilter(PodLogOptions(), now: .now)
    return String(decoding: filter.take(bytes[offset(ofLast: 80, in: bytes)...]).suffix(2048), as: UTF8.self)
  }

  /// Where the last `count` lines of a file begin. Partial lines count with the line that ends them.
  static func offset(ofLast count: Int, in bytes: [UInt8]) -> Int {
    guard count > 0 else { return bytes.count }
    var found = 0
    var end = bytes.count
    while end > 0 {
      let searchEnd = bytes[end - 1] == UInt8(ascii: "\n") ? end - 1 : end
      let start = bytes[..<searchEnd].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      let isPartial = ContainerLogLine(parsing: bytes[start..<searchEnd])?.isPartial ?? false
      if !isPartial {
        if found == count { return end }
        found += 1
      }
      end = start
    }
    return 0
  }
}
