import KubernetesAPI
import TestSupport
import Testing

@testable import APIServer
@testable import KubernetesClient

@Suite struct FrontDecodingTests {
  @Test(arguments: [
    ("/api/v1/pods", "/api/v1/pods", ""), ("/", "/", ""),
    ("/apis/x/roles/system%3Anode", "/apis/x/roles/system:node", ""),
    ("/a%20b?x=1&y=a+b%2Bc&z", "/a b", "x=1 y=a b+c z="),
    ("/p?labelSelector=app%3Dweb%2Ctier+in+%28a%2Cb%29", "/p", "labelSelector=app=web,tier in (a,b)"),
    ("/p?a=1&a=2&&b==", "/p", "a=1 a=2 b=="), ("/p?", "/p", ""),
  ])
  func aTargetIsDecoded(target: String, path: String, query: String) throws {
    let decoded = try URLDecoding.decode(target: target, limit: 64 << 10)
    #expect(decoded.path == path)
    #expect(decoded.query.map { "\($0.name)=\($0.value)" }.joined(separator: " ") == query)
  }

  @Test(arguments: [
    "", "pods", "*", "http://x/y", "/a/../b", "/a/%2e%2e/b", "/a/./b", "/a%2Fb", "/a%2fb", "/a%00b", "/a%0ab", "/%",
    "/%2", "/a/%cc%81b", "/a/\u{301}b", "/%zz", "/%ff", "/a%252Fb", "/p?x=%", "/p?%ff=1",
    "/p?" + String(repeating: "a&", count: 300),
  ])
  func aTargetThatCouldMeanTwoThingsIsRefused(target: String) {
    let status = #expect(throws: APIStatus.self) { try URLDecoding.decode(target: target, limit: 64 << 10) }
    #expect(status?.code == 400)
  }

  @Test func whatTheTransportEncodesIsDecodedToTheSame() throws {
    var random = SeededGenerator(seed: 1)
    let scalars: [Character] = Array("abz09-._~:/?#[]@!$&'()*+,;= \"<>\\^`{|}é漢🎌")
    for _ in 0..<2000 {
      func text(_ excluded: Set<Character> = []) -> String {
        String(
          (0..<Int.random(in: 1...12, using: &random)).compactMap { _ in
            scalars.randomElement(using: &random).flatMap { excluded.contains($0) ? nil : $0 }
          })
      }
      let path = "/" + text(["."]) + "/" + text(["."])
      let query = (0..<3).map { _ in (name: "n" + text(), value: text() + "%") }
      let decoded = try URLDecoding.decode(
        target: URLText.encode(path: path) + "?" + URLText.encode(query: query), limit: 64 << 10)
      #expect(decoded.path == path)
      #expect(decoded.query.map(\.name) == query.map(\.name) && decoded.query.map(\.value) == query.map(\.value))
    }
  }

  @Test func noBytesMakeTheDecoderFailOtherwiseThanWithAStatus() {
    var random = SeededGenerator(seed: 2)
    let alphabet = Array("/%?&=+.2fF0eE5cazé\u{0}\u{7f}".unicodeScalars)
    for _ in 0..<20_000 {
      var target = "/"
      for _ in 0..<Int.random(in: 0...24, using: &random) {
        if let scalar = alphabet.randomElement(using: &random) { target.unicodeScalars.append(scalar) }
      }
      do throws(APIStatus) {
        let (path, _) = try URLDecoding.decode(target: target, limit: 64 << 10)
        #expect(path.hasPrefix("/") && !path.contains("%"))
        #expect(!path.split(separator: "/").contains { $0 == ".." || $0 == "." })
      } catch { #expect(error.code == 400) }
    }
  }
}
