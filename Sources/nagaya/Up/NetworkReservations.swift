import Foundation
import JSONDocument
import LinuxSystem

/// Which instance of this machine has which bridge and which addresses for its pods.
///
/// Two instances on one bridge would hand out the same addresses, and the first `down` would cut the other's pods off.
/// A reservation lasts until `nagaya down`, as the pods do; one whose instance is gone without it is passed over.
struct NetworkReservations: Sendable {
  struct Reservation: Sendable, Equatable {
    let bridge: String
    let addresses: IPv4Block
    /// Directories of the instance.
    let state: String
    let run: String
  }

  /// Emptied at boot, as the network is.
  static let standardDirectory = "/run/nagaya-networks"

  let directory: String
  /// Whether an instance runs or has pods that live on.
  let isLive: @Sendable (Reservation) -> Bool

  init(
    directory: String = standardDirectory,
    isLive: @escaping @Sendable (Reservation) -> Bool = { NetworkReservations.isInUse($0) }
  ) {
    self.directory = directory
    self.isLive = isLive
  }

  /// Takes bridge and addresses for an instance, or renews what it has.
  /// - Throws: `CommandFailure` if another instance has them.
  func reserve(_ wanted: Reservation) async throws {
    try await change { kept in
      for other in kept where other.state != wanted.state {
        if other.bridge == wanted.bridge {
          throw Self.taken("the bridge \(wanted.bridge) belongs to another instance of Nagaya", other)
        }
        if other.addresses.overlaps(wanted.addresses) {
          throw Self.taken(
            "the pods' addresses \(wanted.addresses) overlap those of another instance of Nagaya (\(other.addresses))",
            other)
        }
      }
      kept.removeAll { $0.state == wanted.state }
      kept.append(wanted)
    } isKept: {
      // Its own lock must not be asked about, see InstanceLock.
      $0.state != wanted.state && ($0.run == wanted.run ? !Bridge(name: $0.bridge).ports.isEmpty : isLive($0))
    }
  }

  /// Gives back what the instance with this state directory has.
  func release(state: String) async throws {
    try await change { kept in
      kept.removeAll { $0.state == state }
    } isKept: { _ in
      true
    }
  }

  private static func taken(_ what: String, _ other: Reservation) -> CommandFailure {
    CommandFailure(
      "\(what), with its state in \(other.state)",
      remedy: "choose others, such as --bridge nagaya1 --pod-cidr 10.245.0.0/16, or stop that one: "
        + "nagaya down --state-dir \(other.state) --run-dir \(other.run)")
  }

  private static func isInUse(_ reservation: Reservation) -> Bool {
    let layout = Layout(state: reservation.state, run: reservation.run)
    return (try? InstanceLock.holder(layout)) != nil || !Bridge(name: reservation.bridge).ports.isEmpty
  }

  private func change(
    _ body: (inout [Reservation]) throws -> Void, isKept: (Reservation) -> Bool
  ) async throws {
    try Directory.make(directory)
    let path = "\(directory)/reservations.json"
    for _ in 0..<500 {
      if let lock = try FileLock("\(directory)/lock") {
        let result = Result {
          var kept = try Self.read(path).filter(isKept)
          try body(&kept)
          try DurableFile.write(Self.json(kept).encodedForReading(), to: path, permissions: 0o644)
        }
        _ = consume lock
        return try result.get()
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw CommandFailure("\(directory)/lock is held by another process", remedy: "run the command again")
  }

  private static func read(_ path: String) throws -> [Reservation] {
    guard let bytes = try DurableFile.read(path) else { return [] }
    // What cannot be read reserves nothing.
    let entries = (try? JSONValue(parsing: bytes))?.elements ?? []
    return entries.compactMap { entry in
      guard let bridge = entry["bridge"].string, let addresses = entry["addresses"].string.flatMap(IPv4Block.init),
        let state = entry["state"].string, let run = entry["run"].string
      else { return nil }
      return Reservation(bridge: bridge, addresses: addresses, state: state, run: run)
    }
  }

  private static func json(_ reservations: [Reservation]) -> JSONValue {
    .array(
      reservations.map {
        [
          "bridge": .string($0.bridge), "addresses": .string($0.addresses.description), "state": .string($0.state),
          "run": .string($0.run),
        ]
      })
  }
}
