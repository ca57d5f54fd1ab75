import PlatformHarness
import Testing

@testable import nagaya

@Suite struct CompletionTests {
  @Test func `bash takes the completion script and completes by it`() async throws {
    let script = await CommandRunner()("completion", "bash")
    #expect(script.code == 0)
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/nagaya.bash"
      try script.out.write(toFile: path, atomically: true, encoding: .utf8)
      try await Shell().succeed("bash -n \(path)")
      let loaded = try await Shell().succeed("source \(path) && complete -p nagaya")
      #expect(loaded.contains("nagaya"))
    }
  }

  @Test(arguments: ["zsh", "fish"]) func `other shells' scripts name every command`(_ shell: String) async {
    let script = await CommandRunner()("completion", shell)
    for command in ["create", "scale", "rollout", "image"] { #expect(script.out.contains(command)) }
  }
}
