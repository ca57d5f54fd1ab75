import Foundation
import PlatformHarness
import Testing

/// What docs/extending.md shows is what the tests beside this one run.
@Suite struct GuideTests {
  private static let text = try? String(contentsOfFile: "\(PlatformInstance.root)/docs/extending.md", encoding: .utf8)

  @Test(arguments: [("kind", "AddingAKind"), ("controller", "AddingAController"), ("command", "AddingACommand")])
  func `a guide's code is that of its test`(_ guide: String, _ file: String) throws {
    let source = try String(contentsOfFile: "\(PlatformInstance.root)/Tests/GuideTests/\(file).swift", encoding: .utf8)
    let begin = try #require(source.range(of: "// guide: \(guide)\n"))
    let end = try #require(source.range(of: "\n// end\n"))
    let code = String(source[begin.upperBound..<end.lowerBound])
    #expect(try #require(Self.text).contains("```swift\n\(code)\n```"), "copy it from Tests/GuideTests/\(file).swift")
  }
}
