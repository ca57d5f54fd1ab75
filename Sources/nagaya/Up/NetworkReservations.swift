import Foundation
import JSONDocument
import LinuxSystem

/// Which instance of this machine has which network and which addresses for its pods.
///
/// Two instances with one network would hand out the same addresses and write the same rules.
/// A reservation lasts until `nagaya down`, as the pods do; one whose instance is gone without it is passed over.
struct NetworkReservations: Sendable {
  struct Reservation: Sendable, Equatable {
    /// The network's name.
    let network: String
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

  /// Takes network and addresses for an instance, or renews what it has.
  /// - Throws: `CommandFailure` if another instance has them.
  func reserve(_ wanted: Reservation) async throws {
    try await change { kept in
      for other in kept where other.state != wanted.state {
        if other.network == wanted.network {
          throw Self.taken("the network \(wanted.network) belongs to another instance of Nagaya", other)
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
      $0.state != wanted.state && ($0.run == wanted.run ? !PodLinks.present(in: $0.addresses).isEmpty : isLive($0))
    }
  }

  /// What instances have that run, or whose pods live on.
  func inUse() async throws -> [Reservation] {
    // Nobody has reserved anything where there is no directory; asking makes none.
    guard FileStatus.isDirectory(directory) else { return [] }
    return try Self.read("\(directory)/reservations.json").filter(isLive)
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
      remedy: "choose others, such as --network nagaya1 --pod-cidr 10.245.0.0/16, or stop that one: "
        + "nagaya down --state-dir \(other.state) --run-dir \(other.run)")
  }

  private static func isInUse(_ reservation: Reservation) -> Bool {
    let layout = Layout(state: reservation.state, run: reservation.run)
    return (try? InstanceLock.holder(layout)) != nil || !PodLinks.present(in: reservation.addresses).isEmpty
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
      guard let network = (entry["network"].string ?? entry["bridge"].string),
        let addresses = entry["addresses"].string.flatMap(IPv4Block.init),
        let state = entry["state"].string, let run = entry["run"].string
      else { return nil }
      return Reservation(network: network, addresses: addresses, state: state, run: run)
    }
  }

  private static func json(_ reservations: [Reservation]) -> JSONValue {
    .array(
      reservations.map {
        [
          "network": .string($0.network), "addresses": .string($0.addresses.description), "state": .string($0.state),
          "run": .string($0.run),
        ]
      })
  }
}
