import Foundation
import Testing

@testable import nagaya

@Suite struct HooksCommandTests {
  private static let pod = """
    apiVersion: v1
    kind: Pod
    metadata:
      name: web
      namespace: shop-dev
      annotations:
        ulimits.noderesource.dev/container.main: "- {type: NOFILE, soft: 10, hard: 20}"
    spec:
      containers:
      - {name: main, image: i, resources: {limits: {memory: 2Gi}}}
      - {name: plain, image: i, resources: {limits: {memory: 1Mi}}}
    """
  private static let policy = """
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: small}
    spec: {resources: {memory: {max: 1Gi}}, ulimits: [{type: NOFILE, max: MOST}]}
    """

  private func run(_ most: String, _ more: String...) async throws -> CommandResult {
    try await withTemporaryDirectory { directory in
      try Self.pod.write(toFile: "\(directory)/pod.yaml", atomically: true, encoding: .utf8)
      try Self.policy.replacing("MOST", with: most)
        .write(toFile: "\(directory)/policies.yaml", atomically: true, encoding: .utf8)
      return await CommandRunner().run(
        ["hooks", "test", "-f", "\(directory)/pod.yaml", "--policies", "\(directory)/policies.yaml"] + more)
    }
  }

  @Test func `a dry run prints what would be changed as a diff, with who wants it`() async throws {
    let result = try await run("20")
    #expect(result.code == 0, "\(result.error)")
    #expect(
      result.out == """
        pod shop-dev/web
          container main
          - memory 2147483648
          + ulimit NOFILE 10:20, by annotation ulimits.noderesource.dev/container.main, line 1
          + memory 1073741824, by policy small
          container plain
            nothing changes

        """)
  }

  @Test func `a container that would not be made is a failure, unless it is made without`() async throws {
    let refused = try await run("19")
    #expect(refused.code == 1)
    #expect(refused.out.contains("! would not be made: ulimits: ulimit NOFILE 10:20"), "\(refused.out)")
    let ignored = try await run("19", "--on-error", "Ignore")
    #expect(ignored.code == 0 && ignored.out.contains("+ left out: ulimits:"), "\(ignored.out)")
    let audit = try await run("20", "--audit")
    #expect(audit.out.contains("+ audit: memory 1073741824, by policy small"), "\(audit.out)")
  }

  @Test func `policies that are wrong are named with field and reason`() async throws {
    let result = try await run("many")
    #expect(result.code == 1)
    #expect(result.error.contains("node policy small: spec.ulimits[0].max"), "\(result.error)")
  }

  @Test func `where no hooks run, that is said with what to do`() async throws {
    let result = await CommandRunner().run(["hooks", "--run", "/tmp/no-such-directory"])
    #expect(result.code == 1 && result.error.contains("nagaya serve hooks"), "\(result.error)")
  }
}
