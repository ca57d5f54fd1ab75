import Foundation
import Glibc
import Locking
import TestSupport

/// Ways in which programs read files, timed.
enum FileReads {
  struct Unreadable: Error, CustomStringConvertible {
    let path: String
    let number: Int32
    var description: String { "cannot read \(path): \(String(cString: strerror(number)))" }
  }

  /// Looks at every file's attributes, like `find -ls`.
  static func walk(_ root: String) throws -> (seconds: Double, files: Int) {
    let start = ContinuousClock.now
    var files = 0
    var directories = [root]
    while let directory = directories.popLast() {
      guard let stream = opendir(directory) else { throw Unreadable(path: directory, number: errno) }
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard name != ".", name != ".." else { continue }
        let path = "\(directory)/\(name)"
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Unreadable(path: path, number: errno) }
        files += 1
        if status.st_mode & S_IFMT == S_IFDIR { directories.append(path) }
      }
    }
    return ((ContinuousClock.now - start).seconds, files)
  }

  /// MB/s.
  /// - Parameter limit: how many bytes at most.
  @discardableResult
  static func inOrder(_ path: String, limit: Int = .max) throws -> Double {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Unreadable(path: path, number: errno) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let start = ContinuousClock.now
    var total = 0
    while total < limit {
      let count = Glibc.read(file, &buffer, min(buffer.count, limit - total))
      guard count >= 0 else { throw Unreadable(path: path, number: errno) }
      if count == 0 { break }
      total += count
    }
    return Double(total) / 1e6 / (ContinuousClock.now - start).seconds
  }

  /// Reads of 4 KiB a second, at places in the first 96 MiB that are the same for all.
  static func atRandom(_ path: String, seed: UInt64) throws -> Double {
    let reads = 4000
    let start = ContinuousClock.now
    try reading(path, seed: seed, count: reads, bytes: 4096, of: 96 << 20)
    return Double(reads) / (ContinuousClock.now - start).seconds
  }

  /// MB/s of four readers at once, each of 128 KiB at random places.
  /// - Parameter limit: of the file, in bytes.
  static func inParallel(_ path: String, seed: UInt64, limit: Int) throws -> Double {
    let (readers, reads, bytes) = (4, 150, 128 << 10)
    let failure = Mutex<(any Error)?>(nil)
    let start = ContinuousClock.now
    DispatchQueue.concurrentPerform(iterations: readers) { reader in
      do {
        try reading(path, seed: seed &* 8 &+ UInt64(reader), count: reads, bytes: bytes, of: limit)
      } catch { failure.withLock { $0 = error } }
    }
    let seconds = (ContinuousClock.now - start).seconds
    if let error = failure.withLock({ $0 }) { throw error }
    return Double(readers * reads * bytes) / 1e6 / seconds
  }

  private static func reading(_ path: String, seed: UInt64, count: Int, bytes: Int, of limit: Int) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Unreadable(path: path, number: errno) }
    defer { close(file) }
    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM)
    var random = SeededGenerator(seed: seed)
    var buffer = [UInt8](repeating: 0, count: bytes)
    for _ in 0..<count {
      let place = Int.random(in: 0..<limit / bytes, using: &random)
      guard pread(file, &buffer, bytes, off_t(place * bytes)) == bytes else {
        throw Unreadable(path: path, number: errno)
      }
    }
  }
}
