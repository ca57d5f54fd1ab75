import Testing

@testable import OCI

@Suite struct ImageReferenceTests {
  static let hex = String(repeating: "0a", count: 32)

  @Test(arguments: [
    ("nginx", "docker.io/library/nginx:latest"),
    ("nginx:1.27", "docker.io/library/nginx:1.27"),
    ("library/nginx", "docker.io/library/nginx:latest"),
    ("team/app:v1", "docker.io/team/app:v1"),
    ("nagaya.local/hello:1", "nagaya.local/hello:1"),
    ("localhost/a", "localhost/a:latest"),
    ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
    ("ghcr.io/o/app@sha256:\(hex)", "ghcr.io/o/app@sha256:\(hex)"),
    ("ghcr.io/o/app:2@sha256:\(hex)", "ghcr.io/o/app:2@sha256:\(hex)"),
  ]) func `short names get their defaults`(_ text: String, _ full: String) throws {
    #expect(try ImageReference(text).description == full)
  }

  @Test(arguments: ["", "UPPER/x", "a:", "a:b:c/", "x y", "a@sha256:12", "nagaya.local/", "-a", "a//b", "a:\u{e9}"])
  func `malformed names are refused`(_ text: String) {
    #expect(throws: ImageReference.Malformed.self) { try ImageReference(text) }
  }
}
