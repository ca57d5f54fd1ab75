import Glibc
import LinuxSystem
import Locking

/// Serves the data files of layers to the kernel where it cannot ask before it reads them (fanotify): one file for each
/// layer, named by its key, in a file system that is mounted nowhere and read by EROFS only.
///
/// A reader is answered with all bytes or with an error: the kernel would fill up a short answer with zeros.
final class FUSEDesk: ReadDesk {
  /// What a file's bytes come from.
  enum Content: Sendable {
    case filling(LayerFill)
    /// Everything is there.
    case whole
    /// A file with which something is tried out: `seen` is called before the answer.
    case probe(seen: @Sendable () -> Void)
  }

  private struct File {
    var name: String
    var size: Int64
    var data: SharedDescriptor
    var content: Content
    /// Whether what is read stays in the kernel's memory under this file, too: EROFS needs that for its metadata.
    var isCached: Bool
  }

  private struct State {
    var files: [UInt64: File] = [:]
    var nodes: [String: UInt64] = [:]
    var features: FUSEFeatures?
    var isOver = false
  }

  let connection: FUSEConnection
  private let state = Mutex(State())
  private let onStep: @Sendable (LayerStoreStep) -> Void
  private let onEnd: @Sendable () -> Void

  /// - Parameter onEnd: told once when somebody aborted the connection.
  init(
    _ connection: FUSEConnection, onStep: @escaping @Sendable (LayerStoreStep) -> Void = { _ in },
    onEnd: @escaping @Sendable () -> Void = {}
  ) {
    self.connection = connection
    self.onStep = onStep
    self.onEnd = onEnd
  }

  // MARK: Files

  /// Shows a file, or changes where its bytes come from. Its node is that of the file on the disk, so that the next
  /// process knows what the kernel asks for.
  func show(_ name: String, _ data: SharedDescriptor, _ content: Content, isCached: Bool = false) throws {
    // 0 is no node, 1 the directory.
    let node = try data.identity().inode &+ 1
    let file = File(name: name, size: try data.size(), data: data, content: content, isCached: isCached)
    state.withLock {
      $0.files[node] = file
      $0.nodes[name] = node
    }
  }

  /// Whoever still has the file open gets errors.
  func hide(_ name: String) {
    state.withLock { state in
      if let node = state.nodes.removeValue(forKey: name) { state.files[node] = nil }
    }
  }

  /// What the kernel can do; `nil` before it said so to this process.
  var features: FUSEFeatures? { state.withLock { $0.features } }

  /// Whether somebody aborted the connection: nothing can be read through it any more.
  var isOver: Bool { state.withLock { $0.isOver } }

  // MARK: Requests

  var pollable: Int32 { isOver ? -1 : connection.descriptor.number }

  func readEvents(_ body: (WaitingRead) -> Void) throws {
    try withUnsafeTemporaryAllocation(byteCount: FUSERequest.bufferBytes, alignment: 8) { buffer in
      for _ in 0..<Self.turn {
        switch try connection.receive(into: buffer) {
        case .request(let request): take(request, body)
        case .nothing: return
        case .end: return end()
        }
      }
    }
  }

  private func end() {
    let isFirst = state.withLock { state in
      defer { state.isOver = true }
      return !state.isOver
    }
    if isFirst { onEnd() }
  }

  /// After so many questions a thread looks whether it shall end.
  private static let turn = 64

  func allow(_ read: WaitingRead) {
    answer(read.number, read.range, from: read.fill.writer)
    onStep(.answered)
  }

  func deny(_ read: WaitingRead) { connection.fail(read.number, errno: EIO) }

  private func take(_ request: FUSERequest, _ body: (WaitingRead) -> Void) {
    let number = request.number
    switch request.operation {
    case .initialize(_, let minor, let readAhead, let offered):
      state.withLock { $0.features = offered }
      let wanted: FUSEFeatures = [.parallelReads, .asynchronousDirectReads, .largeReads, .asksAgain]
      connection.answer(
        number,
        .initialized(
          minor: minor, readAheadBytes: readAhead, features: offered.intersection(wanted),
          readBytes: FUSEConnection.readBytes))
    case .lookUp(let name):
      let found = state.withLock { state in
        state.nodes[name].flatMap { node in state.files[node].map { (node, $0.size) } }
      }
      guard request.node == FUSERequest.root, let (node, size) = found else {
        connection.fail(number, errno: ENOENT)
        return
      }
      connection.answer(number, .entry(.init(node: node, size: size)))
    case .attributes:
      if request.node == FUSERequest.root {
        connection.answer(number, .attributes(.init(node: request.node, size: 0, isDirectory: true)))
      } else if let file = file(request.node) {
        connection.answer(number, .attributes(.init(node: request.node, size: file.size)))
      } else {
        connection.fail(number, errno: ESTALE)
      }
    case .open:
      guard let file = file(request.node) else {
        connection.fail(number, errno: ESTALE)
        return
      }
      connection.answer(number, .opened(direct: !file.isCached))
    case .read(let offset, let count):
      guard let file = file(request.node) else {
        connection.fail(number, errno: EIO)
        return
      }
      read(number, file, offset..<max(offset, min(file.size, offset + Int64(count))), body)
    case .statistics: connection.answer(number, .statistics)
    case .release, .destroy: connection.answer(number, .empty)
    case .forget, .interrupt: break
    case .other: connection.fail(number, errno: ENOSYS)
    }
  }

  private func file(_ node: UInt64) -> File? { state.withLock { $0.files[node] } }

  private func read(_ number: UInt64, _ file: File, _ range: Range<Int64>, _ body: (WaitingRead) -> Void) {
    switch file.content {
    case .filling(let fill):
      fill.counters.record(range, fill.map)
      if !fill.presence.contains(range) {
        onStep(.eventRead)
        return body(WaitingRead(number: number, fill: fill, range: range, since: .now))
      }
    case .whole: break
    case .probe(let seen): seen()
    }
    answer(number, range, from: file.data)
  }

  private func answer(_ number: UInt64, _ range: Range<Int64>, from data: SharedDescriptor) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 16)
    defer { buffer.deallocate() }
    if (try? data.read(into: buffer, at: range.lowerBound)) == range.count {
      connection.answer(number, content: UnsafeRawBufferPointer(buffer))
    } else {
      connection.fail(number, errno: EIO)
    }
  }
}
