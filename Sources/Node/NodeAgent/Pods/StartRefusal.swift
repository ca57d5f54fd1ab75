/// Makes the runtime's words about a program that can't be started readable.
enum StartRefusal {
  /// runc says it at the end of a nest of sentences: `…: exec: "/nosuch": stat /nosuch: no such file or directory`.
  static func readable(_ message: String) -> String {
    guard let start = message.firstRange(of: "exec: \"") else { return message }
    let rest = message[start.upperBound...]
    guard let end = rest.firstIndex(of: "\"") else { return message }
    let (program, cause) = (rest[..<end], rest[rest.index(after: end)...])
    if cause.contains("no such file or directory") || cause.contains("executable file not found") {
      return "the program \(program) is not in the image"
    }
    if cause.contains("permission denied") || cause.contains("is a directory") {
      return "the program \(program) may not be run: the image has no executable file of this name"
    }
    return message
  }
}
