import LinuxSystem
import OCI

/// What a store begins with: the path by which it is asked, and what an earlier process left of it.
struct FillStart {
  enum Found {
    case group(PreContentGroup)
    case connection(FUSEConnection, FUSESelfTest.Finding)
  }

  /// What this machine can do of what is wanted.
  enum Way {
    case fanotify(why: String, isHeldOutside: Bool)
    case fuse(FUSESelfTest.Finding, why: String, isHeldOutside: Bool)
  }

  let found: Found
  /// Whether an earlier process' questions are in it.
  let isTakeover: Bool
  let decision: FillDecision

  /// Tries out on the directory which path the machine can go.
  /// - Throws: `LayerStoreError.unsupported` with the reason.
  static func choose(_ configuration: LayerStore.Configuration) async throws -> Way {
    let (directory, runDirectory) = (configuration.directory, configuration.runDirectory)
    let fanotify = SelfTest(directory: directory, runDirectory: runDirectory)
    let fuse = FUSESelfTest(directory: directory, runDirectory: runDirectory)
    let isHeld = await isHeldOutside(configuration)
    func throughFUSE(_ why: String) async throws -> Way {
      .fuse(try await fuse.run(), why: why, isHeldOutside: isHeld)
    }
    func throughFanotify(_ why: String) async throws -> Way {
      try await fanotify.run()
      return .fanotify(why: why, isHeldOutside: isHeld)
    }
    switch configuration.fill {
    case .fanotify: return try await throughFanotify("asked for by --fill fanotify")
    case .fuse: return try await throughFUSE("asked for by --fill fuse")
    case .auto:
      // Two paths at once are not kept: what is mounted decides until it is gone.
      let keeper = HelperConnection.existing(LayerKeeper.name, runDirectory)
      if try await isServing(configuration, keeper) { return try await throughFUSE(kept) }
      var reason = alone
      if isHeld {
        do {
          return try await throughFanotify("the service manager holds the kernel's questions")
        } catch LayerStoreError.unsupported(let why) { reason = "fanotify cannot do it here: \(why)" }
      } else if try await LayerFiles(directory: directory, runDirectory: runDirectory).isAnythingAskedFor() {
        return try await throughFanotify(kept)
      }
      do { return try await throughFUSE(reason) } catch LayerStoreError.unsupported(let why) {
        throw LayerStoreError.unsupported(why: "\(reason); nor through FUSE: \(why)")
      }
    }
  }

  private static let kept = "layers that are in use were mounted so"
  private static let alone = "nobody but our own processes would hold the kernel's questions"

  /// Whether there is a service manager that keeps what it is given.
  private static func isHeldOutside(_ configuration: LayerStore.Configuration) async -> Bool {
    guard let store = configuration.descriptorStore else { return false }
    return (try? await BlockingWork.run { store.keeps() }) ?? false
  }

  /// What an earlier process left with the keeper, or with the service manager.
  private static func held(
    _ name: String, _ configuration: LayerStore.Configuration, _ keeper: HelperConnection?
  ) async throws -> SharedDescriptor? {
    try await keeper?.file(name) ?? configuration.descriptorStore?.file(name)
  }

  private static func heldConnection(_ configuration: LayerStore.Configuration, _ keeper: HelperConnection?)
    async throws
    -> FUSEConnection?
  {
    guard let descriptor = try await held("fuse", configuration, keeper),
      let mount = try await held("fuse-mount", configuration, keeper)
    else { return nil }
    let connection = FUSEConnection(descriptor: descriptor, mount: mount)
    return connection.isAlive ? connection : nil
  }

  /// Whether layers are read through a connection that the keeper holds.
  private static func isServing(_ configuration: LayerStore.Configuration, _ keeper: HelperConnection?) async throws
    -> Bool
  {
    guard try await heldConnection(configuration, keeper) != nil else { return false }
    return LayerFiles(directory: configuration.directory, runDirectory: configuration.runDirectory).isAnythingServed()
  }

  init(_ way: Way, _ configuration: LayerStore.Configuration, _ keeper: HelperConnection?) async throws {
    switch way {
    case .fanotify(let why, let isHeld):
      if try await Self.isServing(configuration, keeper) {
        throw LayerStoreError.unsupported(
          why: "layers that are in use come through FUSE; stop their containers, or use --fill auto")
      }
      for name in ["fuse", "fuse-mount"] {
        try await keeper?.tell("drop \(name)")
        try configuration.descriptorStore?.remove(name)
      }
      decision = FillDecision(path: .fanotify, why: why, isHeldOutside: isHeld)
      if let held = try await Self.held("group", configuration, keeper) {
        found = .group(PreContentGroup(held))
        isTakeover = true
      } else {
        found = .group(
          keeper == nil ? try PreContentGroup() : try await GroupChoice.early(configuration.directory))
        isTakeover = false
      }
    case .fuse(let finding, let why, let isHeld):
      decision = FillDecision(path: .fuse, why: why, isHeldOutside: isHeld)
      if let held = try await Self.heldConnection(configuration, keeper) {
        found = .connection(held, finding)
        isTakeover = true
      } else {
        found = .connection(try FUSEConnection(), finding)
        isTakeover = false
      }
    }
  }
}

extension LayerFiles {
  /// Whether incomplete layers are in use that were mounted for fanotify; takes those away that nobody uses.
  fileprivate func isAnythingAskedFor() async throws -> Bool {
    let boot = Self.bootID()
    var isAnything = false
    for name in Directory.namesIfReadable(in: "\(runDirectory)/systems") {
      guard let digest = Digest(hex: name),
        let note = FileSystemNote(SmallFile.text(fileSystem(LayerKey(digest))) ?? ""),
        note.bootID == boot, !note.isServed, let system = note.name, FileBackedMount.exists(system)
      else { continue }
      let key = LayerKey(digest)
      guard let bytes = try DurableFile.read(record(key)), LayerRecord(bytes)?.isComplete == false else { continue }
      let target = mountPoint(key)
      try? await BlockingWork.run { try Mounts.unmount(target) }
      if FileBackedMount.exists(system) { isAnything = true }
    }
    return isAnything
  }
}

/// What is written down of a mounted layer, in the run directory.
struct FileSystemNote {
  /// The kernel's name of the file system, if it could be told.
  var name: String?
  var bootID: String
  /// Whether its data comes through FUSE.
  var isServed: Bool

  init(name: String?, bootID: String, isServed: Bool) {
    self.name = name
    self.bootID = bootID
    self.isServed = isServed
  }

  var encoded: [UInt8] { Array("\(name ?? "-") \(bootID) \(isServed ? "fuse" : "file")".utf8) }

  init?(_ text: String) {
    let words = text.split(separator: " ")
    guard words.count >= 2 else { return nil }
    name = words[0] == "-" ? nil : String(words[0])
    bootID = String(words[1])
    isServed = words.count > 2 && words[2] == "fuse"
  }
}

extension LayerFiles {
  /// Whether layers are mounted whose data comes through FUSE.
  func isAnythingServed() -> Bool {
    let boot = Self.bootID()
    return Directory.namesIfReadable(in: "\(runDirectory)/systems").contains { name in
      guard let note = FileSystemNote(SmallFile.text("\(runDirectory)/systems/\(name)") ?? "") else { return false }
      return note.isServed && note.bootID == boot && note.name.map(FileBackedMount.exists) ?? true
    }
  }
}
