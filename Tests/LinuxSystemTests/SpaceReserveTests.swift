import Glibc
import LinuxSystem
import Testing

@Suite struct SpaceReserveTests {
  private struct Full: Error {}
  private struct Other: Error {}

  @Test func `What fails on a full disk is tried again with the reserve's space, once`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = "\(directory.path)/reserve"
    let reserve = SpaceReserve(path, bytes: 1 << 20)
    var calls = 0
    // There is nothing to give yet.
    #expect(throws: Full.self) {
      try reserve.lend({ $0 is Full }) {
        calls += 1
        throw Full()
      }
    }
    #expect(calls == 1)
    reserve.refill()
    #expect(try FileStatus(of: path)?.size == 1 << 20)
    #expect(throws: Other.self) { try reserve.lend({ $0 is Full }) { throw Other() } }
    #expect(try FileStatus(of: path)?.size == 1 << 20)
    let size = try reserve.lend({ $0 is Full }) {
      guard let size = try FileStatus(of: path)?.size, size == 0 else { throw Full() }
      return size
    }
    #expect(size == 0)
    reserve.refill()
    // Another process may have made it.
    #expect(
      try SpaceReserve(path, bytes: 1 << 20).lend({ $0 is Full }) {
        if try FileStatus(of: path)?.size != 0 { throw Full() }
        return true
      })
  }
}
