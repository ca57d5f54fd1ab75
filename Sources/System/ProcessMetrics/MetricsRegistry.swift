import Locking

/// Something that has figures.
public protocol MetricsSource: AnyObject, Sendable {
  /// What it says now; asked for seldom.
  var metrics: MetricsText { get async }
}

/// Who has figures. Sources are known as long as somebody else keeps them.
public final class MetricsRegistry: Sendable {
  /// That of this process.
  public static let process = MetricsRegistry()

  private struct Entry: Sendable {
    let isThere: @Sendable () -> Bool
    let metrics: @Sendable () async -> MetricsText?
  }

  private struct State {
    var entries: [Entry] = []
    /// So many entries, and those that are gone are forgotten.
    var limit = 64
  }

  private let state = Mutex(State())

  public init() {}

  public func add(_ source: some MetricsSource) {
    add(Entry(isThere: { [weak source] in source != nil }, metrics: { [weak source] in await source?.metrics }))
  }

  /// Adds something that stays as long as the process.
  public func add(_ metrics: @escaping @Sendable () async -> MetricsText) {
    add(Entry(isThere: { true }, metrics: metrics))
  }

  private func add(_ entry: Entry) {
    state.withLock { state in
      if state.entries.count >= state.limit {
        state.entries.removeAll { !$0.isThere() }
        state.limit = max(64, 2 * state.entries.count)
      }
      state.entries.append(entry)
    }
  }

  /// How many are kept, those that are gone and not forgotten yet among them.
  var count: Int { state.withLock { $0.entries.count } }

  /// What all of them say.
  public var metrics: MetricsText {
    get async {
      var all = MetricsText()
      for entry in state.withLock({ $0.entries }) {
        if let metrics = await entry.metrics() { all.merge(metrics) }
      }
      return all
    }
  }
}
