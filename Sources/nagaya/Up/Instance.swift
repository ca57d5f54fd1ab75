import Foundation
import Glibc
import JSONDocument

/// The record of a running instance, in `<run>/nagaya.json`, and the lock that there is only one.
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

/// Held by the process that runs an instance, as long as it lives; the kernel lets go of it when the process dies.
final class InstanceLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `CommandFailure` if another process runs this instance.
  init(_ layout: Layout) throws {
    try FileManager.default.createDirectory(
      atPath: layout.run, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    let descriptor = open(layout.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw CommandFailure(
        "cannot open \(layout.lock): \(String(cString: strerror(errno)))", remedy: "run nagaya up as root")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      let pid = Instance(reading: layout).map { " (process \($0.pid))" } ?? ""
      throw CommandFailure(
        "Nagaya is already running\(pid) with its state in \(layout.state)",
        remedy:
          "see `nagaya status`; stop it with `nagaya down`, or choose other directories with --state-dir and --run-dir")
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Whether some process holds the lock.
  static func isHeld(_ layout: Layout) -> Bool {
    let descriptor = open(layout.lock, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return true }
    flock(descriptor, LOCK_UN)
    return false
  }
}
