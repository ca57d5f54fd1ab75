import Locking

/// Shares equal values, so that the thousand pods of a deployment keep one set of labels between them. Bounded.
final class Interner: Sendable {
  private struct Pools: Sendable {
    var labels: [[String: String]: [String: String]] = [:]
    var texts: [String: String] = [:]
  }

  private let pools = Mutex(Pools())
  private static let bound = 16_384

  func labels(_ labels: [String: String]) -> [String: String] {
    if labels.isEmpty { return [:] }
    return pools.withLock { pools in
      if let known = pools.labels[labels] { return known }
      // Forgetting costs only sharing: what is in use stays with its records.
      if pools.labels.count >= Self.bound { pools.labels.removeAll(keepingCapacity: true) }
      pools.labels[labels] = labels
      return labels
    }
  }

  func text(_ text: String) -> String {
    // Up to 15 bytes stand in the string itself.
    if text.utf8.count <= 15 { return text }
    return pools.withLock { pools in
      if let known = pools.texts[text] { return known }
      if pools.texts.count >= Self.bound { pools.texts.removeAll(keepingCapacity: true) }
      pools.texts[text] = text
      return text
    }
  }
}
