import Foundation
import PlatformHarness
import Testing

/// Two sets of packages, made of the same inputs, for the tests of a suite; removed afterwards.
struct MadePackages: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  /// Holds `first` and `second`.
  @TaskLocal static var directory: String?

  static let shell = Shell(environment: ["NAGAYA_ENGINES": DockerRegistry.engines])

  func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void)
    async throws
  {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "nagaya-packages-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    async let first: Void = Self.build(in: directory.appendingPathComponent("first").path)
    async let second: Void = Self.build(in: directory.appendingPathComponent("second").path)
    _ = try await (first, second)
    try await Self.$directory.withValue(directory.path) { try await function() }
  }

  /// Of the debug binary, and uncompressed: that is quick.
  private static func build(in directory: String) async throws {
    let root = PlatformInstance.root
    try await shell.succeed(
      "'\(root)/packaging/build' '\(root)/.build/debug/nagaya' '\(directory)' none", seconds: 1800)
  }
}
