import Foundation

/// What this process holds, as the kernel counts it.
enum ProcessMemory {
  enum Field: String {
    /// Now.
    case resident = "VmRSS:"
    /// The most so far.
    case mostResident = "VmHWM:"
  }

  /// Bytes; 0 where the kernel does not tell.
  static func bytes(_ field: Field) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(field.rawValue) }) else { return 0 }
    return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}
