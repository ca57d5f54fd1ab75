import Foundation
import LinuxSystem

/// The bridge on which earlier versions put all pods of an instance, under the network's name.
///
/// Its pods get a new sandbox, one after the other, since a sandbox cannot be moved to a link of its own; the bridge goes
/// with the last of them.
enum EarlierBridge {
  static func removeIfUnused(_ network: PodNetwork) async {
    let place = "/sys/class/net/\(network.name)"
    guard FileStatus.exists("\(place)/bridge"), Directory.namesIfReadable(in: "\(place)/brif").isEmpty else { return }
    // Whoever else removed it meanwhile has done the same.
    _ = try? await Command.run("ip", ["link", "delete", network.name])
  }
}
