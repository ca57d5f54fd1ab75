import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

@Suite struct ContainerLogTests {
  private let lines = """
    2026-11-22T10:00:00.000000000Z stdout F one
    2026-11-22T10:00:01.000000000Z stdout P two
    2026-11-22T10:00:02.000000000Z stderr F and more
    not a log line
    2026-11-22T10:00:03.000000000Z stdout F

    """

  private func read(_ options: PodLogOptions, chunk: Int = 1000) -> String {
    var filter = ContainerLogFilter(options, now: Timestamp("2026-11-22T10:00:04Z") ?? .now)
    let bytes = Array(lines.utf8)
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: chunk) {
      output += filter.take(bytes[start..<min(start + chunk, bytes.count)])
    }
    return String(decoding: output, as: UTF8.self)
  }

  @Test(arguments: [1, 2, 3, 7, 50, 1000])
  func partialLinesAreJoinedWhereverTheChunksEnd(chunk: Int) {
    #expect(read(PodLogOptions(), chunk: chunk) == "one\ntwoand more\n\n")
  }

  @Test func optionsNarrowTheLog() {
    #expect(read(PodLogOptions(limitBytes: 6)) == "one\ntw")
    #expect(read(PodLogOptions(sinceSeconds: 2)) == "and more\n\n")
    #expect(read(PodLogOptions(timestamps: true)).hasPrefix("2026-11-22T10:00:00.000000000Z one\n"))
  }

  @Test(arguments: [(0, ""), (1, "\n"), (2, "twoand more\n\n"), (9, "one\ntwoand more\n\n")])
  func tailCountsWholeLines(count: Int, result: String) {
    let bytes = Array(lines.replacingOccurrences(of: "not a log line\n", with: "").utf8)
    let start = ContainerLogFilter.offset(ofLast: count, in: bytes)
    var filter = ContainerLogFilter(PodLogOptions(), now: .now)
    #expect(String(decoding: filter.take(bytes[start...]), as: UTF8.self) == result)
  }

  @Test func anyBytesAreReadWithoutATrap() {
    var random = SeededGenerator(seed: 14)
    let valid = Array(lines.utf8)
    for _ in 0..<2000 {
      var bytes = valid
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      var filter = ContainerLogFilter(PodLogOptions(timestamps: true, sinceSeconds: 1), now: .now)
      #expect(filter.take(bytes).count <= bytes.count * 2)
      #expect((0...bytes.count).contains(ContainerLogFilter.offset(ofLast: 2, in: bytes)))
    }
  }

  @Test func aContainerHasToBeNamedWhereThereAreSeveral() async throws {
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.spec["containers"] = [["name": "a"], ["name": "b"]]
    let logs = NodeLogs(directory: "/tmp/nagaya-none")
    let error = await #expect(throws: APIStatus.self) { _ = try await logs.log(of: pod, options: PodLogOptions()) }
    #expect(error?.message == "a container name must be specified for pod p, choose one of: [a b]")
    #expect(error?.code == 400)
  }

  @Test func aFollowedLogIsReadAcrossItsRotationUntilItsEnd() async throws {
    let directory = "/tmp/nagaya-log-\(UUID().uuidString)"
    defer { try? Directory.removeTree(directory) }
    var pod = KubernetesObject(.pods, namespace: "n", name: "p")
    pod.metadata["uid"] = "u"
    pod.spec["containers"] = [["name": "a"]]
    let place = "\(directory)/logs/n_p_u/a"
    try Directory.make(place)
    func line(_ text: String) -> [UInt8] { Array("2026-11-22T10:00:00.000000000Z stdout F \(text)\n".utf8) }
    try SmallFile.write(line("1"), to: "\(place)/0.log")
    let stream = try await NodeLogs(directory: directory).log(of: pod, options: PodLogOptions(follow: true))
    let iterator = stream.makeAsyncIterator()
    var chunks = iterator
    #expect(try await chunks.next() == Array("1\n".utf8))
    #expect(rename("\(place)/0.log", "\(place)/0.log.1") == 0)
    try SmallFile.write(line("2"), to: "\(place)/0.log")
    #expect(try await chunks.next() == Array("2\n".utf8))
    try SmallFile.write([], to: "\(place)/0.ended")
    #expect(try await chunks.next() == nil)
  }
}
