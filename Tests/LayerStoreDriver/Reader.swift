import Foundation
import LinuxSystem

/// A program in a container: `read ROOT MODE DIRECTORY TRUTH RESULT`. It reads blocks of the files that `TRUTH` has, compares
/// them, and counts in `RESULT` (`GOOD ERRORS ZEROS WRONG`).
///
/// `through` reads at random places until `RESULT.stop` is there, and has the kernel forget some of it; `once` reads all;
/// `map` maps all, touches it, and keeps it mapped until `RESULT.stop` is there.
final class Reader {
  private let arguments: [String]
  private var counts = (good: 0, errors: 0, zeros: 0, wrong: 0)
  private static let block = 4096

  init(_ arguments: [String]) { self.arguments = arguments }

  private var mode: String { arguments[3] }
  private var directory: String { arguments[4] }
  private var truth: String { arguments[5] }
  private var result: String { arguments[6] }

  func run() throws -> Never {
    let names = try Directory.names(in: truth).sorted()
    let contents = try names.map { try SmallFile.read("\(truth)/\($0)") }
    let blocks = zip(names, contents).flatMap { name, content in
      stride(from: 0, to: content.count, by: Self.block).map { (name, content, $0) }
    }
    switch mode {
    case "once":
      for (name, content, offset) in blocks { read(name, content, offset, forgets: false) }
      try write()
    case "map":
      var maps: [UnsafeMutableRawPointer] = []
      for (name, content) in zip(names, contents) {
        let file = try SharedDescriptor("\(directory)/\(name)", .read)
        guard let memory = mmap(nil, content.count, PROT_READ, MAP_SHARED, file.number, 0), memory != MAP_FAILED else {
          throw SystemError.last("mmap", name)
        }
        maps.append(memory)
        for offset in stride(from: 0, to: content.count, by: Self.block) {
          let count = min(Self.block, content.count - offset)
          compare(UnsafeRawBufferPointer(start: memory + offset, count: count), content[offset..<offset + count])
        }
      }
      try write()
      while !FileStatus.exists("\(result).stop") { usleep(10_000) }  // a program of one thread
    default:
      var turn = 0
      while !FileStatus.exists("\(result).stop") {
        if let (name, content, offset) = blocks.randomElement() { read(name, content, offset, forgets: turn % 2 == 0) }
        turn += 1
        if turn % 16 == 0 { try write() }
      }
      try write()
      try DurableFile.rename(result, to: "\(result).end")
    }
    exit(0)
  }

  private func read(_ name: String, _ content: [UInt8], _ offset: Int, forgets: Bool) {
    let count = min(Self.block, content.count - offset)
    var found = [UInt8](repeating: 1, count: count)
    do {
      let file = try SharedDescriptor("\(directory)/\(name)", .read)
      let got = try found.withUnsafeMutableBytes { try file.read(into: $0, at: Int64(offset)) }
      guard got == count else {
        counts.wrong += 1
        return
      }
      found.withUnsafeBytes { compare($0, content[offset..<offset + count]) }
      if forgets { posix_fadvise(file.number, off_t(offset), off_t(Self.block), POSIX_FADV_DONTNEED) }
    } catch { counts.errors += 1 }
  }

  private func compare(_ found: UnsafeRawBufferPointer, _ content: ArraySlice<UInt8>) {
    // Files of tests have no zeros.
    if found.elementsEqual(content) {
      counts.good += 1
    } else if found.contains(0) {
      counts.zeros += 1
    } else {
      counts.wrong += 1
    }
  }

  private func write() throws {
    try SmallFile.write(
      Array("\(counts.good) \(counts.errors) \(counts.zeros) \(counts.wrong)".utf8), to: result)
  }
}
