import Foundation

/// A mark beside the lock: the next graceful stop takes the containers down, too.
struct DrainRequest: Sendable {
  private let path: String

  init(_ layout: Layout) { path = layout.drain }

  var isMade: Bool { FileManager.default.fileExists(atPath: path) }
  func make() throws { try Data().write(to: URL(fileURLWithPath: path)) }
  func clear() { try? FileManager.default.removeItem(atPath: path) }
}
