import Glibc
import Testing

@testable import LinuxSystem

@Suite struct PageCacheTests {
  @Test func `what nobody has mapped is forgotten, the rest is told`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let (free, mapped) = (
      try SharedDescriptor("\(directory.path)/free", .createNew),
      try SharedDescriptor("\(directory.path)/mapped", .createNew)
    )
    for file in [free, mapped] {
      try file.write([UInt8](repeating: 7, count: 5 * 4096)[...], at: 0)
      try file.syncData()
      #expect(try PageCache.pages(of: file, bytes: 5 * 4096) == 5)
    }
    let mapping = try SharedMapping(mapped, count: 2 * 4096, writable: false)
    #expect(mapping.bytes[0] == 7)
    let left = try PageCache.drop(directory.path)
    // What is mapped beside it came along with what was touched.
    #expect(left >= 1 && left <= 5)
    #expect(try PageCache.pages(of: free, bytes: 5 * 4096) == 0)
    _ = mapping.bytes[0]
    withExtendedLifetime(mapping) {}
  }

  @Test func `without a service manager there is no store`() {
    #expect(DescriptorStore(environment: [:]) == nil)
    #expect(DescriptorStore(environment: ["NOTIFY_SOCKET": "relative"]) == nil)
    #expect(DescriptorStore(environment: ["NOTIFY_SOCKET": "/nobody/listens/here"]) == nil)
    #expect(DescriptorStore(environment: ["NOTIFY_SOCKET": "@\(String(repeating: "long", count: 50))"]) == nil)
  }
}
