import Foundation

/// Prints parts as they come up: `  ✓ api server      https://127.0.0.1:6443   84 ms`.
enum StartupProgress {
  static func show(_ step: Instance.Step) {
    let name = step.name.padding(toLength: 18, withPad: " ", startingAt: 0)
    let detail = step.detail.padding(toLength: max(46, step.detail.count), withPad: " ", startingAt: 0)
    print("  ✓ \(name) \(detail) \(step.milliseconds) ms")
    fflush(nil)
  }
}
