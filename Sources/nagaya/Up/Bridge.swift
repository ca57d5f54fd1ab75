import Foundation
import LinuxSystem
import Logging

/// The bridge that connects the pods of an instance.
struct Bridge: Sendable {
  let name: String

  /// Interfaces that are plugged into it: one per pod.
  var ports: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: "/sys/class/net/\(name)/brif")) ?? []
  }

  var exists: Bool { FileManager.default.fileExists(atPath: "/sys/class/net/\(name)/bridge") }

  /// Removes it unless something is plugged in: a pod that lives on would lose its network.
  func removeIfUnused(logger: Logger) async {
    guard exists else { return }
    guard ports.isEmpty else {
      logger.notice("the bridge stays: it is in use", metadata: ["bridge": "\(name)", "ports": "\(ports.count)"])
      return
    }
    do { try await Command.run("ip", ["link", "delete", name]) } catch {
      logger.notice("the bridge could not be removed", metadata: ["bridge": "\(name)", "error": "\(error)"])
    }
  }
}
