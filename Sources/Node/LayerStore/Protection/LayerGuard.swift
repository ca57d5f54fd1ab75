import Glibc
import LinuxSystem

/// Refuses reads of what is not present: the last defence when the store's process and the keeper are both dead, and the
/// kernel would let readers see zeros.
///
/// It has a group of its own that marks the same files, and looks at the shared presence bits only. It must be asked
/// after the store, or it would refuse what is about to be fetched; which of two groups is asked first the kernel
/// decides by their addresses, so the store tries candidates out until one is asked second.
public enum LayerGuard {
  /// The name of the hidden subcommand.
  public static let command = "guard-layers"
  static let name = "guard"

  /// Runs as a process of its own, until it is told to end or guards nothing. To be called before anything else is done.
  /// - Returns: the exit code.
  public static func run(runDirectory: String) -> Int32 {
    guard let server = try? HelperServer(name, runDirectory: runDirectory) else { return 1 }
    let post = GuardPost()
    server.run(
      watched: { post.groups }, onReadable: { post.answerEvents($0) }, isIdle: { post.isEmpty }
    ) { command, arguments, files in
      do {
        switch command {
        case "candidate":
          guard let file = files.first else { return ("bad", []) }
          try post.makeCandidate(file)
          return ("ok", [])
        case "seen": return (post.hasSeenProbe ? "yes" : "no", [])
        case "adopt":
          try post.adoptCandidate()
          return ("ok", [])
        case "discard":
          post.discardCandidates()
          return ("ok", [])
        case "add":
          guard arguments.count == 3, files.count == 2, let offset = Int(arguments[1]), let count = Int(arguments[2])
          else { return ("bad", []) }
          try post.add(String(arguments[0]), data: files[0], bits: files[1], offset: offset, count: count)
          return ("ok", [])
        case "get":
          guard let name = arguments.first, let file = post.file(String(name)) else { return ("none", []) }
          return ("ok", [file])
        case "remove":
          if let name = arguments.first { try post.remove(String(name)) }
          return ("ok", [])
        case "end": return nil
        default: return ("unknown", [])
        }
      } catch { return ("failed \(error)", []) }
    }
    return 0
  }
}

/// What the guard has in hand.
private final class GuardPost {
  private struct Layer {
    let data: SharedDescriptor
    let identity: FileIdentity
    let blocks: SharedBits
  }

  private var layers: [String: Layer] = [:]
  private var names: [FileIdentity: String] = [:]
  /// Files that were complete when they were given up: questions on their way may be answered yes.
  private var released: Set<FileIdentity> = []
  private var group: PreContentGroup?
  private var candidate: (group: PreContentGroup, file: SharedDescriptor, identity: FileIdentity)?
  /// Kept until one is adopted, so that the next one gets another address.
  private var rejected: [PreContentGroup] = []
  private(set) var hasSeenProbe = false

  var groups: [Int32] { [group, candidate?.group].compactMap { $0?.descriptor.number } }
  var isEmpty: Bool { layers.isEmpty }

  func makeCandidate(_ file: SharedDescriptor) throws {
    if let candidate {
      try candidate.group.unmark(candidate.file)
      rejected.append(candidate.group)
    }
    let group = try PreContentGroup()
    try group.mark(file)
    candidate = (group, file, try file.identity())
    hasSeenProbe = false
  }

  func adoptCandidate() throws {
    guard let candidate else { return }
    try candidate.group.unmark(candidate.file)
    // The old group goes only when the new one guards everything.
    for layer in layers.values { try candidate.group.mark(layer.data) }
    group = candidate.group
    self.candidate = nil
    rejected = []
  }

  /// Gives up groups that were tried out.
  func discardCandidates() {
    candidate = nil
    rejected = []
  }

  func add(_ name: String, data: SharedDescriptor, bits: SharedDescriptor, offset: Int, count: Int) throws {
    let mapping = try SharedMapping(bits, count: Int(try bits.size()), writable: false)
    guard offset >= 0, count >= 0, offset <= mapping.bytes.count - SharedBits.bytes(count) else {
      throw SystemError("mmap", name, errno: EINVAL)
    }
    let layer = Layer(
      data: data, identity: try data.identity(), blocks: SharedBits(mapping, offset: offset, count: count))
    layers[name] = layer
    names[layer.identity] = name
    released.remove(layer.identity)
    try group?.mark(data)
  }

  func remove(_ name: String) throws {
    guard let layer = layers.removeValue(forKey: name) else { return }
    names[layer.identity] = nil
    released.insert(layer.identity)
    try group?.unmark(layer.data)
  }

  /// Without a group it guards nothing, and must not say that it did.
  func file(_ name: String) -> SharedDescriptor? { group == nil ? nil : layers[name]?.data }

  func answerEvents(_ number: Int32) {
    guard let group = [group, candidate?.group].compactMap({ $0 }).first(where: { $0.descriptor.number == number })
    else {
      return
    }
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      guard let count = try? group.read(into: buffer), count > 0 else { return }
      PreContentEvent.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { event in
        if isReadable(event) { group.allow(event.number) } else { group.deny(event.number) }
        close(event.number)
      }
    }
  }

  private func isReadable(_ event: PreContentEvent) -> Bool {
    var status = stat()
    guard fstat(event.number, &status) == 0 else { return false }
    let file = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    if file == candidate?.identity {
      hasSeenProbe = true
      return true
    }
    guard let layer = names[file].flatMap({ layers[$0] }) else { return released.contains(file) }
    return PresenceMap.covers(layer.blocks, event.range)
  }
}
