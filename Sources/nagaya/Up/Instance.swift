import Foundation
import JSONDocument

/// The record of a running instance, in `<run>/nagaya.json`.
struct Instance: Sendable, Equatable {
  enum Phase: String, Sendable {
    case starting, ready
    /// All was up; a part is being started again.
    case degraded
    case stopping, failed
  }

  /// One part that was started.
  struct Step: Sendable, Equatable {
    var name: String
    var detail: String
    var milliseconds: Int
  }

  /// One process of the instance.
  struct Part: Sendable, Equatable {
    var name: String
    /// pending, starting, ready, backingOff, stopping, stopped
    var state: String
    var pid: Int32?
    var restarts = 0
    /// Seconds since 1970 at which the state began.
    var since: Int64 = 0
    /// Seconds from then until it is started again.
    var retrySeconds: Int?
    /// How its last process ended, and what it said before.
    var lastEnd: String?
    var lastWords: [String] = []
    var failure: String?
  }

  /// The supervisor's.
  var pid: Int32
  var phase: Phase
  var parts: [Part] = []
  var steps: [Step] = []
  var failure: String?
  var api = ""
  /// By which others reach it; `nil` if they do not.
  var publicAPI: String?
  var edge = ""
  var nodeName = ""
  var engines = ""

  var json: JSONValue {
    var json: JSONValue = [
      "pid": JSONValue(Int(pid)), "phase": .string(phase.rawValue), "api": .string(api), "edge": .string(edge),
      "nodeName": .string(nodeName), "engines": .string(engines),
      "parts": .array(parts.map(\.json)),
      "steps": .array(
        steps.map {
          ["name": .string($0.name), "detail": .string($0.detail), "milliseconds": JSONValue($0.milliseconds)]
        }),
    ]
    json.set("publicAPI", ifPresent: publicAPI.map { .string($0) })
    json.set("failure", ifPresent: failure.map { .string($0) })
    return json
  }

  init(pid: Int32, phase: Phase) {
    self.pid = pid
    self.phase = phase
  }

  /// The record in `layout`, if one is there and can be read.
  init?(reading layout: Layout) {
    guard let data = FileManager.default.contents(atPath: layout.instance),
      let json = try? JSONValue(parsing: Array(data)), let pid = json["pid"].int,
      let phase = json["phase"].string.flatMap(Phase.init(rawValue:))
    else { return nil }
    self.init(pid: Int32(truncatingIfNeeded: pid), phase: phase)
    api = json["api"].string ?? ""
    publicAPI = json["publicAPI"].string
    edge = json["edge"].string ?? ""
    nodeName = json["nodeName"].string ?? ""
    engines = json["engines"].string ?? ""
    failure = json["failure"].string
    parts = json["parts"].elements.map(Part.init(json:))
    steps = json["steps"].elements.map {
      Step(
        name: $0["name"].string ?? "", detail: $0["detail"].string ?? "", milliseconds: $0["milliseconds"].int ?? 0)
    }
  }

  func write(to layout: Layout) throws {
    try Data(json.encodedForReading()).write(to: URL(fileURLWithPath: layout.instance), options: .atomic)
  }
}

extension Instance.Part {
  var json: JSONValue {
    var json: JSONValue = [
      "name": .string(name), "state": .string(state), "restarts": JSONValue(restarts), "since": .integer(since),
    ]
    json.set("pid", ifPresent: pid.map { JSONValue(Int($0)) })
    json.set("retrySeconds", ifPresent: retrySeconds.map { JSONValue($0) })
    json.set("lastEnd", ifPresent: lastEnd.map { .string($0) })
    json.set("failure", ifPresent: failure.map { .string($0) })
    if !lastWords.isEmpty { json["lastWords"] = .array(lastWords.map { .string($0) }) }
    return json
  }

  init(json: JSONValue) {
    name = json["name"].string ?? ""
    state = json["state"].string ?? ""
    pid = json["pid"].int.map { Int32(truncatingIfNeeded: $0) }
    restarts = json["restarts"].int ?? 0
    since = Int64(json["since"].int ?? 0)
    retrySeconds = json["retrySeconds"].int
    lastEnd = json["lastEnd"].string
    lastWords = json["lastWords"].elements.compactMap(\.string)
    failure = json["failure"].string
  }

  /// It keeps ending: whoever waits for it need not wait on.
  var keepsEnding: Bool { restarts >= 2 && state != "ready" && lastEnd != nil }
}
