/// `[#######.............]  34 %  best-fit  12s` on a terminal; nothing elsewhere.
final class ProgressBar: Sendable {
  private let line = ProgressLine()
  private let isTerminal = Console.current.isTerminal
  private static let width = 24

  func show(done: Int, of total: Int, _ words: String) {
    guard isTerminal, total > 0 else { return }
    line.show(Self.text(done: done, of: total, words))
  }

  func clear() { if isTerminal { line.clear() } }

  static func text(done: Int, of total: Int, _ words: String) -> String {
    let filled = done * width / total
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
    let percent = String(done * 100 / total)
    return "[\(bar)] \(String(repeating: " ", count: 3 - percent.count))\(percent) %  \(words)"
  }
}
