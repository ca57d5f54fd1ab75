import CRI
import Foundation
import LinuxSystem
import Logging
import TestSupport
import Testing

import struct Synchronization.Atomic

@testable import NodeAgent

@Suite(.serialized) struct ContainerdEngineTests {
  @Test func startsAnswersAndStopsWithoutLeavingAProcess() async throws {
    try await TestEngine.with { test in
      #expect(test.engine.isRunning)
      var status = stat()
      #expect(stat(test.layout.socket, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      await test.engine.stop()
      #expect(!test.engine.isRunning)
    }
  }

  @Test func aSecondSupervisorAdoptsTheRunningContainerd() async throws {
    try await TestEngine.with { test in
      let before = SmallFile.text(test.layout.processFile)
      // The same configuration, as the same command writes it after its own restart.
      try await test.engine.start()
      #expect(SmallFile.text(test.layout.processFile) == before)
    }
  }

  @Test func aContainerdThatWasKilledIsStartedAgain() async throws {
    try await TestEngine.with { test in
      let first = try #require(SmallFile.text(test.layout.processFile))
      let supervision = Task { try await test.engine.run() }
      let id = try #require(pid_t(first.trimmingCharacters(in: .whitespacesAndNewlines)))
      kill(id, SIGKILL)
      try await eventually("another process answers") {
        guard let now = SmallFile.text(test.layout.processFile), now != first else { return false }
        return FileStatus.exists(test.layout.socket) && test.engine.isRunning
      }
      supervision.cancel()
      _ = await supervision.result
      #expect(test.engine.isRunning, "the end of the supervision leaves containerd running")
    }
  }

  @Test func aMissingProgramIsNamedWithTheRemedy() async throws {
    let layout = ContainerdLayout(
      root: "/tmp/nagaya-none/root", state: "/tmp/nagaya-none/state", programs: "/tmp/nagaya-none/bin",
      networkPlugins: "/tmp/nagaya-none/cni")
    let network = try PodNetwork.test("none", "10.1.0.0/16")
    let engine = ContainerdEngine(
      layout: layout, network: network, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let error = await #expect(throws: EngineError.self) { try await engine.start() }
    #expect("\(try #require(error))".contains("containerd is missing in /tmp/nagaya-none/bin"))
  }

  @Test func whoeverStartsItAtTheSameTimeGetsTheSameOne() async throws {
    try await TestEngine.with { test in
      await test.engine.stop()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { try await test.engine.start() } }
        try await group.waitForAll()
      }
      let arguments = "\(test.layout.program("containerd")) --config \(test.layout.configurationFile)"
      #expect(TestEngine.processes().filter { $0 == arguments }.count == 1)
    }
  }

  @Test func importedImagesAreKnownToTheCRI() async throws {
    try await TestEngine.with { test in
      let client = try RuntimeClient(socket: test.layout.socket)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try? await client.run() }
        for name in [TestEngine.image, TestEngine.pause] {
          try await eventually("\(name) is known") {
            let answer = try? await client.images.imageStatus(
              .with { $0.image.image = name }, options: RuntimeClient.within(.seconds(10)))
            return answer?.hasImage == true
          }
        }
        group.cancelAll()
      }
    }
  }

  /// containerd sends a PING for almost every answer; an HTTP/2 handler that counts them closes the connection after
  /// 200 in 30 seconds.
  @Test func manyCallsInAShortTimeAreAllAnsweredOnOneConnection() async throws {
    try await TestEngine.with { test in
      let client = try RuntimeClient(socket: test.layout.socket)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        // An open stream tells whether the connection is still the first: it would end with it, and is not retried.
        let isStreamOpen = Atomic(true)
        group.addTask {
          defer { isStreamOpen.store(false, ordering: .relaxed) }
          try await client.runtime.getContainerEvents(Runtime_V1_GetEventsRequest()) { response in
            for try await _ in response.messages {}
          }
        }
        // Twice what the window allows; a busy machine asks for longer until as many fall into one window.
        var answered: [ContinuousClock.Instant] = []
        while answered.count < 400 {
          let answer = try await client.runtime.version(.init(), options: RuntimeClient.within(.seconds(30)))
          #expect(answer.runtimeName == "containerd")
          let now = ContinuousClock.now
          answered.append(now)
          while let first = answered.first, now - first > .seconds(25) { answered.removeFirst() }
        }
        let isStillOpen = isStreamOpen.load(ordering: .relaxed)
        #expect(isStillOpen)
        group.cancelAll()
        while let result = await group.nextResult() { _ = result }
      }
    }
  }

  @Test(arguments: [
    ("/plain", "\"/plain\""), (#"a"b\c"#, #""a\"b\\c""#), ("line\nbreak", "\"line\\u000abreak\""),
  ])
  func pathsAreQuotedAsTOMLStrings(text: String, quoted: String) {
    #expect(ContainerdConfiguration.basicString(text) == quoted)
  }
}
