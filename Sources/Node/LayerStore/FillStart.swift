import LinuxSystem

/// What a store begins with: the path by which it is asked, and what an earlier process left of it.
struct FillStart {
  enum Found {
    case group(PreContentGroup)
    case connection(FUSEConnection, FUSESelfTest.Finding)
  }

  /// What this machine can do of what is wanted.
  enum Way {
    case fanotify
    case fuse(FUSESelfTest.Finding, why: String)
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
    switch configuration.fill {
    case .fanotify:
      try await fanotify.run()
      return .fanotify
    case .fuse: return .fuse(try await fuse.run(), why: "asked for by --fill fuse")
    case .auto:
      // Two paths at once are not kept: what is mounted decides until it is gone.
      let keeper = HelperConnection.existing(LayerKeeper.name, runDirectory)
      if try isServing(configuration, keeper) {
        return .fuse(try await fuse.run(), why: "layers that are in use were mounted so")
      }
      do { try await fanotify.run() } catch LayerStoreError.unsupported(let reason) {
        do {
          return .fuse(try await fuse.run(), why: "fanotify cannot do it here: \(reason)")
        } catch LayerStoreError.unsupported(let second) {
          throw LayerStoreError.unsupported(why: "\(reason); nor through FUSE: \(second)")
        }
      }
      return .fanotify
    }
  }

  private static func held(_ keeper: HelperConnection?) throws -> FUSEConnection? {
    guard let descriptor = try keeper?.file("fuse"), let mount = try keeper?.file("fuse-mount") else { return nil }
    let connection = FUSEConnection(descriptor: descriptor, mount: mount)
    return connection.isAlive ? connection : nil
  }

  /// Whether layers are read through a connection that the keeper holds.
  private static func isServing(_ configuration: LayerStore.Configuration, _ keeper: HelperConnection?) throws -> Bool {
    guard try held(keeper) != nil else { return false }
    return LayerFiles(directory: configuration.directory, runDirectory: configuration.runDirectory).isAnythingServed()
  }

  init(_ way: Way, _ configuration: LayerStore.Configuration, _ keeper: HelperConnection?) async throws {
    switch way {
    case .fanotify:
      if try Self.isServing(configuration, keeper) {
        throw LayerStoreError.unsupported(
          why: "layers that are in use come through FUSE; stop their containers, or use --fill auto")
      }
      for name in ["fuse", "fuse-mount"] { try keeper?.tell("drop \(name)") }
      decision = FillDecision(path: .fanotify, why: "the kernel asks before it reads")
      if let held = try keeper?.file("group") {
        found = .group(PreContentGroup(held))
        isTakeover = true
      } else {
        found = .group(
          keeper == nil ? try PreContentGroup() : try await GroupChoice.early(configuration.directory))
        isTakeover = false
      }
    case .fuse(let finding, let why):
      decision = FillDecision(path: .fuse, why: why)
      if let held = try Self.held(keeper) {
        found = .connection(held, finding)
        isTakeover = true
      } else {
        found = .connection(try FUSEConnection(), finding)
        isTakeover = false
      }
    }
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
