import Foundation
import NRI
import NodeHooks
import PlatformHarness
import Testing

/// Gives Java programs the memory that their container has.
let javaMemory = Hook("java-memory", failure: .ignore) { pod, container in
  var adjustment = Adjustment()
  guard pod.labels["runtime"] == "java", container.linux.resources.memory.hasLimit else { return adjustment }
  let heap = container.linux.resources.memory.limit.value / 4 * 3
  try adjustment.set(
    .environment("JAVA_TOOL_OPTIONS", "-Xmx\(heap)"), .byDefault, because: "three quarters of the container's memory")
  return adjustment
}

/// The hook that `docs/hooks.md` teaches.
struct DocumentedHookTests {
  @Test func `Java gets three quarters of the memory`() throws {
    let pod = NRIPodSandbox.with { $0.labels = ["runtime": "java"] }
    let container = NRIContainer.with { $0.linux.resources.memory.limit.value = 1 << 30 }
    let outcome = try HookChain([javaMemory]).run(pod, container)
    #expect(outcome.adjustment.wire.env.map(\.value) == ["-Xmx805306368"])
  }

  @Test func `what the page shows is what is compiled here, in 30 lines`() throws {
    let page = try String(contentsOfFile: "\(PlatformInstance.root)/docs/hooks.md", encoding: .utf8)
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let blocks = page.components(separatedBy: "```swift\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    let lines = try #require(blocks.first).split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    #expect(lines.count <= 30)
    let here = Set(source.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
    // How it is run is what `nagaya serve hooks` does, too.
    let hook = lines.prefix { !$0.hasPrefix("var configuration") }
    #expect(hook.count > 15 && hook.allSatisfy(here.contains), "\(hook.filter { !here.contains($0) })")
  }
}
