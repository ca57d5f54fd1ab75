import Locking

/// A file whose blocks are given back when the disk is full, so that what frees space can be recorded at all.
public final class SpaceReserve: Sendable {
  private let path: String
  private let bytes: Int64
  private let isThere = Mutex(false)

  /// - Parameters:
  ///   - path: the file, which is made if there is space for it.
  ///   - bytes: what it takes of the disk.
  public init(_ path: String, bytes: Int64) {
    self.path = path
    self.bytes = bytes
  }

  /// Runs a body; if it fails because the disk is full, gives the reserve back and runs it once more.
  /// - Parameter isFull: whether an error means that.
  public func lend<Result>(_ isFull: (any Error) -> Bool, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch  where isFull(error) {
      guard try release() else { throw error }
      return try body()
    }
  }

  /// Takes the blocks again; fine if the disk has none, the next call tries again.
  public func refill() {
    isThere.withLock { isThere in
      guard !isThere else { return }
      do {
        let file = try OpenFile(path, .createIfMissing)
        do {
          try file.allocate(bytes: bytes)
          isThere = true
        } catch {
          // Not half of it: what there is belongs to others.
          try file.truncate(to: 0)
        }
      } catch {}
    }
  }

  /// - Returns: whether there was something to give.
  private func release() throws -> Bool {
    try isThere.withLock { isThere in
      isThere = false
      // An earlier process may have left it.
      guard let status = try FileStatus(of: path), status.size > 0 else { return false }
      try OpenFile(path, .readWrite).truncate(to: 0)
      return true
    }
  }
}
