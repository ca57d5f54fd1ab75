import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging

#if canImport(Glibc)
  import Glibc
#endif

/// Volumes of this node's pods, on disk below `S/node`.
///
/// `pods/<uid>/volumes/<kind>/<name>` holds a pod's volume. For a CSI volume there is first a record
/// (`<name>.json`, what to take back), then its mount `<name>/mount`; the volume itself is staged once for the node at
/// `csi/<digest>/mount`. Volumes that are images are at `pods/<uid>/volumes/image` (`ImageVolumes`). Parts of volumes that containers mount are at `pods/<uid>/volumes/subpath` (`SubPath`). So
/// whatever is mounted can be taken back from the disk alone, at any moment.
actor VolumeMounts {
  private let directory: String
  /// `nil` where volumes are only taken back.
  private let client: KubernetesClient?
  /// Driver name to the path of its socket.
  private let drivers: [String: String]
  /// `nil` where there are none.
  private let images: ImageVolumes?
  private let logger: Logger
  /// Handles that are being staged or unstaged, and who waits for them.
  private var busy: [String: [CheckedContinuation<Void, Never>]] = [:]
  private var published: @Sendable (String) -> Void = { _ in }
  /// Scratch space that was given to its pod since this process began, by the pods' uids: its rights are the pod's affair.
  private var handedOver: [String: Set<String>] = [:]

  init(
    directory: String, client: KubernetesClient?, drivers: [String: String], images: ImageVolumes? = nil, logger: Logger
  ) {
    self.directory = directory
    self.client = client
    self.images = images
    self.drivers = drivers
    self.logger = logger
  }

  nonisolated func podDirectory(_ uid: String) -> String { "\(directory)/pods/\(uid)" }

  /// Uids of pods that have a directory.
  nonisolated var knownPods: [String] { Directory.namesIfReadable(in: "\(directory)/pods") }

  // MARK: Preparing

  /// Makes all volumes of a pod be there.
  /// - Parameter image: gets the images that are volumes.
  /// - Returns: the path on the host of each volume, by its name in the pod.
  /// - Throws: `PodProblem`; calling again continues.
  func prepare(_ pod: KubernetesObject, contents: FileVolumeContents, image: ImageVolumes.Getter) async throws
    -> [String: String]
  {
    var paths: [String: String] = [:]
    for volume in pod.spec["volumes"].elements {
      guard let name = volume["name"].string else { continue }
      do { paths[name] = try await prepare(volume, name, pod, contents, image) } catch let problem as PodProblem {
        throw PodProblem(
          "ContainerCreating", "volume \"\(name)\": \(problem.message)", event: "FailedMount")
      } catch let error as RPCError {
        throw PodProblem("ContainerCreating", "volume \"\(name)\": \(error.message)", event: "FailedMount")
      } catch {
        throw PodProblem("ContainerCreating", "volume \"\(name)\": \(error)", event: "FailedMount")
      }
    }
    return paths
  }

  private func prepare(
    _ volume: JSONValue, _ name: String, _ pod: KubernetesObject, _ contents: FileVolumeContents,
    _ image: ImageVolumes.Getter
  ) async throws -> String {
    let volumes = "\(podDirectory(pod.uid))/volumes"
    let ownership = FileOwnership(of: pod)
    if FileVolumeContents.isFiles(volume) {
      let path = "\(volumes)/files/\(name)"
      if FileVolumeContents.isSecret(volume) { try Self.keepInMemory(path) }
      try PublishedFiles.publish(try await contents.files(of: volume, in: path), in: path)
      return path
    }
    if !volume["emptyDir"].isNull {
      let path = "\(volumes)/empty/\(name)"
      if handedOver[pod.uid]?.contains(path) != true { try Self.makeScratch(path) }
      if volume["emptyDir"]["medium"].string == "Memory", !Self.isMounted(path) {
        try Mounts.mount(
          "tmpfs", at: path, type: "tmpfs", options: ["mode=0777"] + MemoryVolume.bounds(of: volume, in: pod))
      }
      try handOver(path, to: pod, ownership)
      return path
    }
    if let path = volume["hostPath"]["path"].string {
      return try hostPath(path, type: volume["hostPath"]["type"].string ?? "")
    }
    if let claim = pod.claimName(of: volume) {
      let isReadOnly = volume["persistentVolumeClaim"]["readOnly"].bool ?? false
      let (pvName, csi) = try await csiVolume(claim: claim, of: pod, isReadOnly: isReadOnly)
      return try await publish(csi, name: pvName, podUID: pod.uid, ownership)
    }
    if ImageVolumes.isImage(volume) {
      let place = "\(volumes)/image/\(name)"
      guard let images, let reference = volume["image"]["reference"].string, !reference.isEmpty else {
        throw PodProblem("ContainerCreating", "an image volume needs a reference")
      }
      if !Self.isMounted("\(place)/mount") {
        let id = try await image(reference, volume["image"]["pullPolicy"].string)
        try await images.show(id, at: place)
      }
      return "\(place)/mount"
    }
    let kinds = volume.members.keys.filter { $0 != "name" }.sorted().joined(separator: ", ")
    if kinds.isEmpty {
      let path = "\(volumes)/empty/\(name)"
      if handedOver[pod.uid]?.contains(path) != true { try Self.makeScratch(path) }
      try handOver(path, to: pod, ownership)
      return path
    }
    throw PodProblem("ContainerCreating", "volumes of kind \(kinds) are not supported")
  }

  /// Gives fresh scratch space to the pod's group, once.
  private func handOver(_ path: String, to pod: KubernetesObject, _ ownership: FileOwnership) throws {
    guard handedOver[pod.uid]?.contains(path) != true else { return }
    if try Directory.names(in: path).isEmpty { try ownership.take(scratch: path) }
    handedOver[pod.uid, default: []].insert(path)
  }

  /// Open for containers with any user.
  private static func makeScratch(_ path: String) throws {
    try Directory.make(path, permissions: 0o777)
    // Neither made just now nor left half made.
    guard try Directory.names(in: path).isEmpty else { return }
    if let status = try FileStatus(of: path), status.permissions & 0o777 != 0o777 { chmod(path, 0o777) }
  }

  /// Makes a directory whose files are never written to the disk, nor to swap where the kernel can be told so (6.4).
  private static func keepInMemory(_ path: String) throws {
    try Directory.make(path)
    guard !isMounted(path) else { return }
    do throws(SystemError) {
      try Mounts.mount("tmpfs", at: path, type: "tmpfs", options: ["mode=0755", "noswap"])
    } catch {
      guard error.errno == EINVAL else { throw error }
      try Mounts.mount("tmpfs", at: path, type: "tmpfs", options: ["mode=0755"])
    }
  }

  /// core/v1 `HostPathType`.
  private func hostPath(_ path: String, type: String) throws -> String {
    var status = stat()
    switch type {
    case "DirectoryOrCreate": try Directory.make(path)
    case "FileOrCreate": if !FileStatus.exists(path) { try SmallFile.write([], to: path) }
    default: break
    }
    let isThere = stat(path, &status) == 0
    let wanted: mode_t? =
      switch type {
      case "Directory", "DirectoryOrCreate": S_IFDIR
      case "File", "FileOrCreate": S_IFREG
      case "Socket": S_IFSOCK
      case "CharDevice": S_IFCHR
      case "BlockDevice": S_IFBLK
      default: nil
      }
    if let wanted, !isThere || status.st_mode & S_IFMT != wanted {
      throw PodProblem("ContainerCreating", "hostPath type check failed: \(path) is not a \(type)")
    }
    return path
  }

  /// The volume that a claim is bound to. That of an ephemeral volume must have been made for this pod.
  private func csiVolume(claim name: String, of pod: KubernetesObject, isReadOnly: Bool) async throws -> (
    String, CSIVolume
  ) {
    guard let client else { throw PodProblem("ContainerCreating", "this node only takes volumes back") }
    guard let claim = try await client.getIfPresent(.persistentVolumeClaims, namespace: pod.namespace, name: name)
    else { throw PodProblem("ContainerCreating", "persistentvolumeclaim \"\(name)\" not found") }
    guard !pod.ephemeralClaimNames.contains(name) || pod.owns(ephemeralClaim: claim) else {
      throw PodProblem(
        "ContainerCreating",
        "persistentvolumeclaim \"\(name)\" was not created for pod \"\(pod.name)\" (pod is not owner)")
    }
    guard claim.status["phase"].string == "Bound", let volumeName = claim.spec["volumeName"].string else {
      throw PodProblem("ContainerCreating", "persistentvolumeclaim \"\(name)\" is not bound yet")
    }
    let volume = try await client.get(.persistentVolumes, name: volumeName)
    guard VolumeBinding.isMutual(claim, volume) else {
      throw PodProblem(
        "ContainerCreating", "persistentvolume \"\(volumeName)\" is not bound to persistentvolumeclaim \"\(name)\"")
    }
    let source = volume.spec["csi"]
    guard let driver = source["driver"].string, let handle = source["volumeHandle"].string else {
      throw PodProblem("ContainerCreating", "persistentvolume \"\(volumeName)\" is not a CSI volume")
    }
    guard
      let csi = CSIVolume(json: [
        "driver": .string(driver), "handle": .string(handle), "fsType": .string(source["fsType"].string ?? ""),
        "mountFlags": volume.spec["mountOptions"], "attributes": source["volumeAttributes"],
        "accessMode": volume.spec["accessModes"][0], "readOnly": .bool(isReadOnly || source["readOnly"].bool == true),
        "block": .bool(volume.spec["volumeMode"].string == "Block"),
      ])
    else { throw PodProblem("ContainerCreating", "persistentvolume \"\(volumeName)\" has no driver or handle") }
    return (volumeName, csi)
  }

  private func publish(
    _ volume: CSIVolume, name: String, podUID: String, _ ownership: FileOwnership
  ) async throws -> String {
    let place = "\(podDirectory(podUID))/volumes/csi/\(name)"
    let target = "\(place)/mount"
    await acquire(volume.handle)
    defer { release(volume.handle) }
    if FileStatus.exists("\(place).json"), Self.isMounted(target) { return target }
    // Whoever gave two pods the same node by hand, past the scheduler.
    if volume.accessMode == "ReadWriteOncePod", let other = pods(using: volume).first(where: { $0 != podUID }) {
      throw PodProblem(
        "ContainerCreating",
        "persistentvolume \"\(name)\" is ReadWriteOncePod and used by another pod of this node (uid \(other)) until that has ended"
      )
    }
    let driver = try self.driver(volume)
    let staging = stagingDirectory(volume)
    try Directory.make("\(staging)/mount", permissions: 0o750)
    try Directory.make(place, permissions: 0o750)
    // Intent first: from here on a teardown knows what to take back.
    try DurableFile.write(volume.json.encoded(), to: "\(staging)/volume.json", permissions: 0o644)
    try DurableFile.write(volume.json.encoded(), to: "\(place).json", permissions: 0o644)
    try await driver.stage(volume, at: "\(staging)/mount")
    try await ownership.take(volume, at: "\(staging)/mount")
    try await driver.publish(volume, staged: "\(staging)/mount", at: target)
    published(name)
    return target
  }

  // MARK: Growing

  /// Calls `act` with the name of each persistent volume that a pod gets, once it is mounted.
  func whenPublished(_ act: @escaping @Sendable (String) -> Void) { published = act }

  /// Whether a pod of this node has the persistent volume mounted.
  func isMounted(name: String) -> Bool { mounted(name) != nil }

  /// Has the driver grow what is on a persistent volume that a pod has mounted.
  /// - Returns: whether there was one.
  func expand(name: String, to bytes: Int64) async throws -> Bool {
    guard let volume = mounted(name)?.volume else { return false }
    await acquire(volume.handle)
    defer { release(volume.handle) }
    guard let (volume, target) = mounted(name) else { return false }
    try await driver(volume).expand(volume, staged: "\(stagingDirectory(volume))/mount", at: target, to: bytes)
    return true
  }

  private func mounted(_ name: String) -> (volume: CSIVolume, target: String)? {
    for uid in knownPods {
      let place = "\(podDirectory(uid))/volumes/csi/\(name)"
      guard let bytes = try? SmallFile.read("\(place).json"), let json = try? JSONValue(parsing: bytes),
        let volume = CSIVolume(json: json), !volume.isBlock, Self.isMounted("\(place)/mount")
      else { continue }
      return (volume, "\(place)/mount")
    }
    return nil
  }

  // MARK: Taking back

  /// Unmounts a pod's volumes; its directory stays until `removeDirectory`.
  func unmount(podUID: String) async throws {
    let volumes = "\(podDirectory(podUID))/volumes"
    // Parts of volumes before the volumes.
    try SubPath.unmountAll(in: "\(volumes)/subpath")
    for name in Directory.namesIfReadable(in: "\(volumes)/csi") where name.hasSuffix(".json") {
      try await unpublish(record: "\(volumes)/csi/\(name)", target: "\(volumes)/csi/\(name.dropLast(5))/mount")
    }
    for name in Directory.namesIfReadable(in: "\(volumes)/image") where name.hasSuffix(".json") {
      try await images?.takeBack("\(volumes)/image/\(name.dropLast(".json".count))")
    }
    for kind in ["empty", "files"] {
      for name in Directory.namesIfReadable(in: "\(volumes)/\(kind)") {
        let path = "\(volumes)/\(kind)/\(name)"
        if Self.isMounted(path) { try Mounts.unmount(path) }
      }
    }
  }

  /// Removes the contents of a pod's `emptyDir` volumes, after `unmount`.
  func removeScratch(podUID: String) throws {
    handedOver[podUID] = nil
    try Directory.removeTree("\(podDirectory(podUID))/volumes/empty")
  }

  /// Removes what is left of a pod, after `unmount`.
  func removeDirectory(podUID: String) throws {
    handedOver[podUID] = nil
    try Directory.removeTree(podDirectory(podUID))
  }

  private func unpublish(record: String, target: String) async throws {
    guard let bytes = try? SmallFile.read(record), let json = try? JSONValue(parsing: bytes),
      let volume = CSIVolume(json: json)
    else { return try Directory.removeTree(record) }
    await acquire(volume.handle)
    defer { release(volume.handle) }
    let driver = try self.driver(volume)
    try await driver.unpublish(volume, at: target)
    try Directory.removeTree(String(target.dropLast("/mount".count)))
    try Directory.removeTree(record)
    guard !isPublished(volume) else { return }
    let staging = stagingDirectory(volume)
    try await driver.unstage(volume, at: "\(staging)/mount")
    try Directory.removeTree(staging)
  }

  /// Unstages volumes that no pod uses: left over when this process ended between two steps.
  func removeOrphans() async {
    for name in Directory.namesIfReadable(in: "\(directory)/csi") {
      let staging = "\(directory)/csi/\(name)"
      guard let bytes = try? SmallFile.read("\(staging)/volume.json"), let json = try? JSONValue(parsing: bytes),
        let volume = CSIVolume(json: json)
      else { continue }
      await acquire(volume.handle)
      defer { release(volume.handle) }
      guard !isPublished(volume) else { continue }
      do {
        try await driver(volume).unstage(volume, at: "\(staging)/mount")
        try Directory.removeTree(staging)
        logger.info("unstaged a volume that no pod uses", metadata: ["volume": .string(volume.handle)])
      } catch {
        logger.warning(
          "an unused volume can't be unstaged", metadata: ["volume": .string(volume.handle), "error": "\(error)"])
      }
    }
  }

  private func isPublished(_ volume: CSIVolume) -> Bool { !pods(using: volume).isEmpty }

  /// Uids of the pods that have a volume, or are about to.
  private func pods(using volume: CSIVolume) -> [String] {
    knownPods.filter { uid in
      let place = "\(podDirectory(uid))/volumes/csi"
      return Directory.namesIfReadable(in: place).contains { name in
        guard name.hasSuffix(".json"), let bytes = try? SmallFile.read("\(place)/\(name)"),
          let json = try? JSONValue(parsing: bytes)
        else { return false }
        return json["driver"].string == volume.driver && json["handle"].string == volume.handle
      }
    }
  }

  private func driver(_ volume: CSIVolume) throws -> CSINode {
    guard let socket = drivers[volume.driver] else {
      throw PodProblem("ContainerCreating", "the CSI driver \(volume.driver) is not on this node")
    }
    return CSINode(socket: socket)
  }

  /// Handles may hold any bytes; a hash of them names the directory.
  private func stagingDirectory(_ volume: CSIVolume) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a, 64 bits
    for byte in "\(volume.driver)\0\(volume.handle)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return "\(directory)/csi/\(String(hash, radix: 16))"
  }

  static func isMounted(_ path: String) -> Bool {
    guard let real = try? Directory.canonicalPath(path) else { return false }
    return (try? Mounts.table())?.top(at: real) != nil
  }

  // MARK: One step at a time for a volume

  private func acquire(_ handle: String) async {
    guard busy[handle] != nil else {
      busy[handle] = []
      return
    }
    await withCheckedContinuation { busy[handle, default: []].append($0) }
  }

  private func release(_ handle: String) {
    guard var waiting = busy[handle], !waiting.isEmpty else {
      busy[handle] = nil
      return
    }
    let next = waiting.removeFirst()
    busy[handle] = waiting
    next.resume()
  }
}
