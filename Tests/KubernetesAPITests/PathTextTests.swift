import Testing

@testable import KubernetesAPI

@Suite("Paths are read as the kernel reads them") struct PathTextTests {
  @Test(
    "segments are what stands between slash bytes",
    arguments: [
      ("", []), ("/", []), ("/a//b/", ["a", "b"]), ("a", ["a"]), ("../\u{301}x", ["..", "\u{301}x"]),
    ])
  func segments(path: String, expected: [String]) {
    #expect(path.pathSegments.map(String.init) == expected)
  }

  @Test(
    "a combining mark hides neither the slash nor what is before it",
    arguments: [
      ("a/b", false, false), ("/a", true, false), ("/\u{301}a", true, false), ("a/..", false, true),
      ("../\u{301}x", false, true), ("..a/b..", false, false), ("/a/../b", true, true),
    ])
  func marks(path: String, isAbsolute: Bool, leadsUpwards: Bool) {
    #expect(path.isAbsolutePath == isAbsolute)
    #expect(path.leadsUpwards == leadsUpwards)
  }
}
