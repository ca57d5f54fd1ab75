import KubernetesAPI
import LinuxSystem
import NRI

/// The block devices below the volumes of a container.
enum VolumeDevices {
  static let file = "io.max"

  /// Where a mount's source is among what a kubelet, or our node agent, has of a pod.
  enum Place: Hashable {
    /// `<pod>/volumes/kubernetes.io~csi/<volume>/mount`, or `<pod>/volumes/csi/<volume>/mount`.
    case volume(String)
    /// A part of a volume, `<pod>/volume-subpaths/<volume>/<container>/<number>`.
    case part(of: String)
    /// A part of one of the volumes below a directory, `<pod>/volumes/subpath/<container>/<number>`.
    case partOfOne(in: String)

    init?(_ source: String) {
      let parts = source.split(separator: "/")
      let count = parts.count
      guard count >= 4 else { return nil }
      if parts[count - 1] == "mount", parts[count - 4] == "volumes",
        ["kubernetes.io~csi", "csi"].contains(parts[count - 3])
      {
        self = .volume(String(parts[count - 2]))
      } else if parts[count - 4] == "volume-subpaths" {
        self = .part(of: String(parts[count - 3]))
      } else if parts[count - 4] == "volumes", parts[count - 3] == "subpath" {
        self = .partOfOne(in: "/" + parts.dropLast(3).joined(separator: "/") + "/csi")
      } else {
        return nil
      }
    }
  }

  /// A device of a container, and the volume that it is; `nil`: of which volume it is can't be told.
  struct Found: Hashable {
    let device: String
    let volume: String?
  }

  /// Whether a container has volumes at all: most have none, and cost nothing here.
  static func mayHaveVolumes(_ container: NRIContainer) -> Bool {
    container.mounts.contains { Place($0.source) != nil } || !blockDevices(container).isEmpty
  }

  /// - Parameter isVolume: whether a name is one of a persistent volume.
  static func of(_ container: NRIContainer, in mounts: MountedDevices, isVolume: (String) -> Bool) -> [Found] {
    var found: [Found] = []
    for mount in container.mounts {
      guard let place = Place(mount.source), let device = mounts.device(at: mount.source) else { continue }
      let volumes: [String?] =
        switch place {
        case .volume(let name), .part(of: let name): [name]
        case .partOfOne(in: let directory): mounts.names(in: directory, on: device)
        }
      for volume in volumes.isEmpty ? [nil] : volumes {
        let item = Found(device: disk(device), volume: volume)
        if !found.contains(item) { found.append(item) }
      }
    }
    for device in blockDevices(container) {
      // A raw device is a volume's if it is known by the volume's name; others are none of ours.
      guard let name = name(of: device), isVolume(name) else { continue }
      found.append(Found(device: disk(device), volume: name))
    }
    return found
  }

  /// Whether a container may have one of these volumes; so if it has one of which that can't be told by a path alone.
  static func mayHave(_ container: NRIContainer, anyOf volumes: Set<String>) -> Bool {
    container.mounts.contains { mount in
      switch Place(mount.source) {
      case .volume(let name), .part(of: let name): volumes.contains(name)
      case .partOfOne: true
      case nil: false
      }
    } || !blockDevices(container).isEmpty
  }

  /// Volumes that are not mounted as this process sees the machine: in a container it sees its own mounts.
  /// - Parameter isLimited: whether something is wanted of a volume.
  static func unseen(_ container: NRIContainer, in mounts: MountedDevices, isLimited: (String) -> Bool) -> [String] {
    container.mounts.map(\.source).filter { source in
      switch Place(source) {
      case .volume(let name), .part(of: let name): isLimited(name) && !mounts.isMounted(source)
      case .partOfOne: !mounts.isMounted(source)
      case nil: false
      }
    }
  }

  private static func blockDevices(_ container: NRIContainer) -> [String] {
    container.linux.devices.filter { $0.type == "b" }.map { "\($0.major):\($0.minor)" }
  }

  /// The disk of a partition, or the device itself: limits are of whole disks.
  private static func disk(_ device: String) -> String {
    let name = "/sys/dev/block/\(device)"
    guard FileStatus.exists("\(name)/partition") else { return device }
    return SmallFile.text("\(name)/../dev")?.split(separator: "\n").first.map(String.init) ?? device
  }

  /// The volume whose bytes a loop device shows: its file's name without the ending.
  private static func name(of device: String) -> String? {
    guard let path = SmallFile.text("/sys/dev/block/\(device)/loop/backing_file")?.split(separator: "\n").first,
      let file = path.split(separator: "/").last
    else { return nil }
    return file.hasSuffix(".img") ? String(file.dropLast(4)) : String(file)
  }
}
