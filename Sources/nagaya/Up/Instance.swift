import Foundation
import JSONDocument

/// The record of a running instance, in `<run>/nagaya.json`.
struct Instance: Sendable, Equatable {
  enum Phase: String, Sendable {
    case starting, ready, stopping, failed
  }

  /// One part that was started.
  struct Step: Sendable, Equatable {
    var name: String
    var detail: String
    var milliseconds: Int
  }

  var pid: Int32
  var phase: Phase
  var steps: [Step] = []
  var failure: String?
  var api = ""
  var edge = ""
  var nodeName = ""
  var engines = ""

  var json: JSONValue {
    var json: JSONValue = [
      "pid": JSONValue(Int(pid)), "phase": .string(phase.rawValue), "api": .string(api), "edge": .string(edge),
      "nodeName": .string(nodeName), "engines": .string(engines),
      "steps": .array(
        steps.map {
          ["name": .string($0.name), "detail": .string($0.detail), "milliseconds": JSONValue($0.milliseconds)]
        }),
    ]
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
    edge = json["edge"].string ?? ""
    nodeName = json["nodeName"].string ?? ""
    engines = json["engines"].string ?? ""
    failure = json["failure"].string
    steps = json["steps"].elements.map {
      Step(
        name: $0["name"].string ?? "", detail: $0["detail"].string ?? "", milliseconds: $0["milliseconds"].int ?? 0)
    }
  }

  func write(to layout: Layout) throws {
    try Data(json.encodedForReading()).write(to: URL(fileURLWithPath: layout.instance), options: .atomic)
  }
}
