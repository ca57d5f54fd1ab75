import Foundation
import LinuxSystem
import Testing

/// The tests that need LVM's kernel, run in a guest that has it (`scripts/in-guest`): a machine's own may have none.
@Suite struct LVMGuestTests {
  /// How many tests the suites have: change it with them.
  static let suites = [
    (#"^VolumePoolsTests\.LVMPoolTests/"#, 13),
    (#"^VolumePoolsTests\.LVMPoolWallTests/|^CSIDriverTests\.LVMDriverTests/"#, 13),
    (#"^VolumePoolsTests\.LVMMoveTests/"#, 2),
    (#"^VolumePoolsTests\.LVMSnapshotTests/|^CSIDriverTests\.LVMDriverSnapshotTests/"#, 12),
  ]

  @Test(.enabled(if: !Guest.isHere), arguments: suites)
  func `Pools in LVM pass their tests on a kernel with LVM`(suites: String, tests: Int) async throws {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    // This very program.
    let program = try Directory.canonicalPath("/proc/self/exe")
    let guest = try await Command.result(
      "env",
      [
        "GUEST_SECONDS=900", "\(repository)/scripts/in-guest", program, "--testing-library", "swift-testing",
        "--no-parallel", "--filter", suites,
      ], timeout: .seconds(960))
    let lines = (guest.standardOutput + guest.standardError).split(whereSeparator: \.isNewline)
    let words = lines.filter { $0.contains("recorded an issue") || $0.contains("in-guest:") || $0.contains("rror:") }
    #expect(guest.exitCode == 0, "\((words + lines.suffix(5)).joined(separator: "\n"))")
    // A run without tests, or with tests that were skipped, is no run that passed.
    #expect(lines.contains { $0.contains("Test run with \(tests) tests in ") && $0.contains(" passed after ") })
    let skipped = lines.filter { $0.contains("skipped") }
    #expect(skipped.isEmpty)
  }
}
