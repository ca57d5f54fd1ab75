/// A failure that the user can do something about: one line what, one line what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let what: String
  let remedy: String
  /// 1: it failed; 124: the time was up (as timeout(1) says it). 2 is for wrong usage.
  let exitCode: Int32

  init(_ what: String, remedy: String, exitCode: Int32 = 1) {
    self.what = what
    self.remedy = remedy
    self.exitCode = exitCode
  }

  static let timedOut: Int32 = 124
  static let usage: Int32 = 2

  var description: String { remedy.isEmpty ? what : "\(what)\n\(remedy)" }
}
