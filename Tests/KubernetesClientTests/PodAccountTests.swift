import Foundation
import Testing

@testable import KubernetesClient

@Suite struct PodAccountTests {
  @Test func `outside of a pod, and without its files, it says what is missing`() throws {
    let nowhere = "/tmp/nagaya-account-\(UUID().uuidString)"
    let outside = #expect(throws: KubeconfigError.self) {
      try PodAccount.transport(directory: nowhere, environment: [:])
    }
    #expect(outside.map { "\($0)" }?.contains("KUBERNETES_SERVICE_HOST") == true)
    let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
    let empty = #expect(throws: KubeconfigError.self) {
      try PodAccount.transport(directory: nowhere, environment: environment)
    }
    #expect(empty.map { "\($0)" }?.contains("\(nowhere)/ca.crt") == true)
    try FileManager.default.createDirectory(atPath: nowhere, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: nowhere) }
    try Data("roots".utf8).write(to: URL(fileURLWithPath: "\(nowhere)/ca.crt"))
    try Data("token\n".utf8).write(to: URL(fileURLWithPath: "\(nowhere)/token"))
    _ = try PodAccount.transport(directory: nowhere, environment: environment)
  }
}
