import BoundedNumbers
public import KubernetesAPI
public import KubernetesClient
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Reads the logs of this node's containers (`GET …/pods/NAME/log`).
public struct NodeLogs: PodLogSource {
  private let directory: String

  /// - Parameter directory: the node agent's, `S/node`.
  public init(directory: String) { self.directory = directory }

  /// - Throws: `APIStatus` 400 when the container is not named and there are several, or is not there, or has not
  ///   started; 404 when there is no log.
  public func log(of pod: KubernetesObject, options: PodLogOptions) async throws(APIStatus) -> ByteStream {
    let container = try options.container(of: pod)
    let place = "\(PodConfigurations.logDirectory(pod, below: directory))/\(container)"
    let attempts = Self.attempts(in: place)
    guard var attempt = attempts.last else {
      throw PodLogOptions.notStarted(pod, container)
    }
    if options.previous {
      guard attempts.count > 1 else {
        throw APIStatus(
          .badRequest, "previous terminated container \"\(container)\" in pod \"\(pod.name)\" not found")
      }
      attempt = attempts[attempts.count - 2]
    }
    let reader = ContainerLogReader(
      place: place, attempt: attempt, options: options, follows: options.follow && !options.previous)
    return ByteStream(reader)
  }

  /// Numbers of a container's runs that have a log, in order.
  static func attempts(in place: String) -> [Int] {
    Directory.namesIfReadable(in: place).compactMap { $0.hasSuffix(".log") ? Int($0.dropLast(4)) : nil }.sorted()
  }
}

/// Reads one run's log, from its oldest rotated file to its end, and follows it.
struct ContainerLogReader: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  /// The directory of the container's logs.
  let place: String
  let attempt: Int
  let options: PodLogOptions
  let follows: Bool

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

  struct AsyncIterator: AsyncIteratorProtocol {
    private let reader: ContainerLogReader
    private var filter: ContainerLogFilter
    /// Files still to read, oldest first; the last one is the current log.
    private var files: [String]?
    private var descriptor: LogFile?
    private var watch: FileWatch?
    private var changes: AsyncStream<Void>.Iterator?
    private var isAtEnd = false

    init(_ reader: ContainerLogReader) {
      self.reader = reader
      filter = ContainerLogFilter(reader.options, now: .now)
    }

    private var current: String { "\(reader.place)/\(reader.attempt).log" }

    mutating func next() async throws -> [UInt8]? {
      if files == nil { try await begin() }
      while !filter.isFull {
        if let chunk = try descriptor?.read() {
          let output = filter.take(chunk)
          if !output.isEmpty { return output }
          continue
        }
        if let next = files?.first {
          files?.removeFirst()
          descriptor = LogFile(next)
          continue
        }
        guard reader.follows, !isAtEnd else { return nil }
        // The log was rotated: read on in the new file.
        if let descriptor, descriptor.isReplaced(at: current) {
          self.descriptor = LogFile(current)
          continue
        }
        if isRunOver { isAtEnd = true }
        if isAtEnd {
          // What was written between the last read and the mark of the end.
          if let chunk = try descriptor?.read() { return filter.take(chunk) }
          return nil
        }
        guard await changes?.next() != nil, !Task.isCancelled else { return nil }
      }
      return nil
    }

    /// The run has ended: the log writer left a mark, a newer run has a log, or the directory is gone.
    private var isRunOver: Bool {
      if FileStatus.exists("\(reader.place)/\(reader.attempt).ended") { return true }
      let attempts = NodeLogs.attempts(in: reader.place)
      return attempts.isEmpty || attempts.contains { $0 > reader.attempt }
    }

    private mutating func begin() async throws {
      if reader.follows {
        let watch = try await FileWatch(directory: reader.place)
        self.watch = watch
        changes = watch.changes.makeAsyncIterator()
      }
      let rotated = LogRotation.rotatedFiles(place: reader.place, attempt: reader.attempt)
      var all = rotated + [current]
      if let tail = reader.options.tailLines {
        var wanted = Swift.max(0, tail)
        var start = 0
        // From the newest file back until there are lines enough.
        while let path = all.popLast() {
          let bytes = (try? SmallFile.read(path)) ?? []
          start = ContainerLogFilter.offset(ofLast: wanted, in: bytes)
          if start > 0 || all.isEmpty || wanted == 0 {
            let newer = (rotated + [current]).drop { $0 != path }.dropFirst()
            descriptor = LogFile(path, from: start)
            files = Array(newer)
            return
          }
          wanted -= bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        }
      }
      files = all
    }
  }
}

/// A file being read; closed with its last reference.
final class LogFile {
  private let descriptor: Int32

  init?(_ path: String, from offset: Int = 0) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    lseek(descriptor, offset, SEEK_SET)
  }

  deinit { close(descriptor) }

  /// The next bytes; `nil` at the present end.
  func read() throws -> [UInt8]? {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(descriptor, &chunk, chunk.count)
    guard count >= 0 else { throw SystemError.last("read", "log") }
    return count == 0 ? nil : Array(chunk[..<count])
  }

  /// Whether the path leads to another file now.
  func isReplaced(at path: String) -> Bool {
    var mine = stat()
    var there = stat()
    guard fstat(descriptor, &mine) == 0, stat(path, &there) == 0 else { return false }
    return mine.st_ino != there.st_ino
  }
}
