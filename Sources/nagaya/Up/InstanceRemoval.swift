import Foundation
import LinuxSystem
import NodeAgent

/// Takes away what an instance that has stopped leaves: in the kernel, and on disk.
struct InstanceRemoval {
  let layout: Layout
  private let options: PlatformOptions?

  /// - Throws: `CommandFailure` if the directory holds something, and nothing of an instance.
  init(_ layout: Layout) throws {
    self.layout = layout
    options = try SavedArguments(layout).read()
    let entries = Directory.namesIfReadable(in: layout.state)
    guard entries.isEmpty || entries.contains(where: Layout.stateEntries.contains) else {
      throw CommandFailure(
        "\(layout.state) holds no instance of Nagaya; nothing was changed",
        remedy: "name its directory with --state-dir")
    }
  }

  /// Whether an instance, or what it left running, is of this program: another one's is not ours to end.
  static func isOfThisProgram(_ layout: Layout) -> Bool {
    if let pid = try? InstanceLock.holder(layout) {
      // The kernel says " (deleted)" of a program that was replaced while it runs.
      let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
      return program == Installation.executable || program == "\(Installation.executable) (deleted)"
    }
    guard let engines = (try? SavedArguments(layout).read())?.engines else { return false }
    return engines == (try? Installation.engines(nil))
  }

  /// What `removeData` will remove, for people.
  var dataSummary: [String] {
    let images = Directory.namesIfReadable(in: "\(layout.pool)/volumes").compactMap {
      (try? FileStatus(of: "\(layout.pool)/volumes/\($0)")) ?? nil
    }
    guard FileStatus.isDirectory(layout.state) else { return ["\(layout.state) is not there: there is no data"] }
    let bytes = images.reduce(Int64(0)) { $0 + $1.allocatedBytes }
    return [
      "to be removed: \(images.count) volumes with \(ByteCount.text(bytes)) of data",
      "to be removed: all objects (tenants, apps, secrets), images, certificates and logs in \(layout.state)",
    ]
  }

  // MARK: The kernel's part

  /// Gives back mounts, loop devices, rules of the network, its reservation and control groups. Idempotent.
  /// - Throws: `CommandFailure` that names what is in use.
  func giveBack(within seconds: Int) async throws {
    if try !mounts().isEmpty, options != nil {
      // Layers of images, and what keeps their files, end with the runtime that used them.
      try await DeadInstance(layout).takeDown(within: seconds)
    }
    for mount in try mounts() {
      do throws(SystemError) { try Mounts.unmount(mount.mountPoint) } catch {
        throw CommandFailure(
          "\(mount.mountPoint) can't be unmounted: \(error)",
          remedy: "see what holds it (fuser -vm \(mount.mountPoint)), then run the command again; no data was removed")
      }
    }
    for place in [Self.real(layout.state), "\(Self.real(layout.pool))/volumes"] {
      for (device, _) in try LoopDevice.below(place) { try device.detach() }
    }
    if let options {
      let network = try options.podNetwork()
      let links = PodLinks.present(in: network.subnet)
      guard links.isEmpty else {
        throw CommandFailure(
          "pods' links are still there: \(links.joined(separator: " "))",
          remedy: "see what runs behind them (ip route), then run the command again; no data was removed")
      }
      try await PodFirewall.remove(network)
      try await NetworkReservations().release(state: layout.state)
      // All instances of a machine have these together.
      if try await NetworkReservations().inUse().isEmpty {
        await options.nodeLimits.removeControlGroups()
        for directory in Self.sharedDirectories { rmdir(directory) }
      }
    }
  }

  /// Made by shims and network plugins, whoever uses them; what is not empty stays.
  private static let sharedDirectories = [
    "/run/containerd/s", "/run/containerd", "/var/lib/cni/results", "/var/lib/cni",
  ]

  /// Mounts that an instance makes, innermost first. What else is mounted, such as a disk for the pool, is the machine's.
  private func mounts() throws -> [MountEntry] {
    let places = [layout.node, layout.images, layout.containerdState, layout.run].map { "\(Self.real($0))/" }
    return try Mounts.table().entries.reversed().filter { mount in places.contains { mount.mountPoint.hasPrefix($0) } }
  }

  /// As the kernel calls it: the state directory may be a link to a larger disk.
  private static func real(_ path: String) -> String { (try? Directory.canonicalPath(path)) ?? path }

  // MARK: Data

  /// Removes what an instance keeps, and nothing else that may lie in its directory.
  /// - Throws: `CommandFailure` that names what stays; calling again goes on.
  func removeData() async throws {
    let stays = try await Self.remove(Layout.stateEntries, in: layout.state)
    for name in stays { Console.note("  stays: \(layout.state)/\(name)") }
  }

  /// Removes sockets and locks, as far as they are ours.
  func removeRunDirectory() {
    for name in Directory.namesIfReadable(in: layout.run) where Layout.runEntries.contains(name) {
      try? FileManager.default.removeItem(atPath: "\(layout.run)/\(name)")
    }
    rmdir(layout.run)
  }

  /// - Returns: what stays in the directory, and why.
  private static func remove(_ entries: Set<String>, in directory: String) async throws -> [String] {
    let present = Directory.namesIfReadable(in: directory)
    let mounted = Set(try Mounts.table().entries.map(\.mountPoint))
    var rest: [String] = []
    for name in present.sorted() {
      let path = "\(directory)/\(name)"
      guard entries.contains(name) else {
        rest.append("\(name), which is not Nagaya's")
        continue
      }
      do {
        // Nothing that somebody mounted deeper in there is touched.
        if mounted.contains(real(path)) {
          try await Command.run("find", [path, "-xdev", "-mindepth", "1", "-delete"], timeout: .seconds(3600))
          rest.append("\(name), where a file system is mounted; it is empty now")
        } else {
          try await Command.run("rm", ["-rf", "--one-file-system", "--", path], timeout: .seconds(3600))
        }
      } catch { throw CommandFailure("\(path) can't be removed: \(error)", remedy: "run the command again") }
    }
    // A file system that is mounted here, or a link, is the machine's.
    if rest.isEmpty, rmdir(directory) != 0, errno != ENOENT {
      Console.note("  stays: \(directory), which is empty now: \(String(cString: strerror(errno)))")
    }
    return rest
  }
}

extension Layout {
  /// What an instance keeps in its state directory.
  static let stateEntries: Set<String> = [
    "api", "arguments.json", "audit", "containerd", "images", "kubeconfig", "nagaya.log", "nagaya.log.1", "node", "pki",
    "pools",
  ]
  /// What it has in its run directory.
  static let runEntries = Set(
    ["containerd", "csi", "drain", "hooks", "images", "nagaya.json", "nagaya.lock", "parts"]
      + PartKind.allCases.map { "\($0.rawValue).lock" })
}
