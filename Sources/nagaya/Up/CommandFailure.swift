/// A failure that the user can do something about: one line what, one line what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let what: String
  let remedy: String

  init(_ what: String, remedy: String) {
    self.what = what
    self.remedy = remedy
  }

  var description: String { "\(what)\n\(remedy)" }
}
