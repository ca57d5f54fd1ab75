import JSONDocument

/// One thing that the doctor found, good or bad.
struct Diagnosis: Sendable, Hashable {
  enum Level: String, Sendable, CaseIterable, Comparable {
    case ok
    /// Something that an administrator must know and may want so.
    case notice
    case warning
    /// Something does not work, or was lost.
    case error

    static func < (one: Level, other: Level) -> Bool { one.rank < other.rank }
    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  }

  let level: Level
  /// What was looked at: machine, disk, instance, store, credentials, site, node, tenants.
  let check: String
  let message: String
  /// What to do about it.
  let remedy: String?

  init(_ level: Level, _ check: String, _ message: String, remedy: String? = nil) {
    self.level = level
    self.check = check
    self.message = message
    self.remedy = remedy
  }

  var json: JSONValue {
    var json: JSONValue = [
      "level": .string(level.rawValue), "check": .string(check), "message": .string(message),
    ]
    json.set("remedy", ifPresent: remedy.map { .string($0) })
    return json
  }
}
