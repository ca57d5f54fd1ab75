import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking

/// Accounts of the namespaces that have a ResourceQuota. Reserving happens in the committer, in the order of commits:
/// two writes can never both take the last free place.
final class QuotaLedger: Sendable {
  private struct Account {
    /// By the quota's name: what it allows.
    var hard: [String: [String: Int128]] = [:]
    var used: [String: Int128] = [:]
  }

  private struct State {
    var accounts: [String: Account] = [:]
    /// Namespaces whose quota objects do not show the newest account.
    var stale: Set<String> = []
  }

  private let state = Mutex(State())
  private let signal = WorkSignal()
  private let cache: ObjectCache
  private let kinds: KindIndex
  private let quotaKind: Int?

  init(cache: ObjectCache, kinds: KindIndex) {
    self.cache = cache
    self.kinds = kinds
    quotaKind = kinds.find(.resourceQuotas)
    guard let quotaKind else { return }
    for (key, _) in cache.snapshot(of: quotaKind).map.elements() { open(key.namespace) }
  }

  /// What a write changes; `nil` if its namespace has no quota.
  func change(_ kind: Int, from old: KubernetesObject?, to new: KubernetesObject?) -> UsageChange? {
    let resource = kinds.definitions[kind].resource
    guard resource.isNamespaced, let namespace = (new ?? old)?.namespace,
      state.withLock({ $0.accounts[namespace] != nil })
    else { return nil }
    let before = old.map { ResourceUsage(of: $0, resource) } ?? ResourceUsage()
    let after = new.map { ResourceUsage(of: $0, resource) } ?? ResourceUsage()
    return UsageChange(
      namespace: namespace, delta: Self.difference(before, after), unspecified: old == nil ? after.unspecified : [:])
  }

  private static func difference(_ before: ResourceUsage, _ after: ResourceUsage) -> [String: Int128] {
    var delta = after.amounts
    for (name, amount) in before.amounts { delta[name, default: 0] -= amount }
    return delta.filter { $0.value != 0 }
  }

  /// Takes what a write needs out of its namespace's quotas.
  /// - Throws: `APIStatus` (403) if one of them does not have it.
  func reserve(_ proposal: WriteProposal, _ batch: inout BatchAccount) throws(APIStatus) {
    guard let change = proposal.usage else { return }
    let reserved = batch.reserved[change.namespace] ?? [:]
    let complaint: String? = state.withLock { state in
      guard let account = state.accounts[change.namespace] else { return nil }
      for (quota, hard) in account.hard.sorted(by: { $0.key < $1.key }) {
        if let complaint = Self.complaint(quota, hard, account.used, reserved, change) { return complaint }
      }
      return nil
    }
    if let complaint {
      throw APIStatus.forbidden(kinds.definitions[proposal.kind].resource, proposal.key.name, complaint)
    }
    batch.reserved[change.namespace, default: [:]].merge(change.delta, uniquingKeysWith: +)
  }

  private static func complaint(
    _ quota: String, _ hard: [String: Int128], _ used: [String: Int128], _ reserved: [String: Int128],
    _ change: UsageChange
  ) -> String? {
    let silent = change.unspecified.filter { hard[$0.key] != nil }.sorted { $0.key < $1.key }
    if !silent.isEmpty {
      let list = silent.map { "\($0.key) for: \($0.value.joined(separator: ","))" }.joined(separator: "; ")
      return "failed quota: \(quota): must specify \(list)"
    }
    func usedNow(_ name: String) -> Int128 { (used[name] ?? 0) + (reserved[name] ?? 0) }
    let exceeded = change.delta.filter { name, amount in
      guard amount > 0, let limit = hard[name] else { return false }
      return usedNow(name) + amount > limit
    }.keys.sorted()
    guard !exceeded.isEmpty else { return nil }
    func list(_ amount: (String) -> Int128) -> String {
      exceeded.map { "\($0)=\(ResourceUsage.text(amount($0), of: $0))" }.joined(separator: ",")
    }
    return
      "exceeded quota: \(quota), requested: \(list { change.delta[$0] ?? 0 }), used: \(list(usedNow)), limited: \(list { hard[$0] ?? 0 })"
  }

  /// Takes in committed changes. Called in the order of commits, after the cache has them.
  func note(_ changes: [ObjectChange]) {
    guard let quotaKind else { return }
    let reopened = Set(changes.lazy.filter { $0.kind == quotaKind }.map(\.record.key.namespace))
    var isStale = false
    for change in changes {
      let namespace = change.record.key.namespace
      guard !reopened.contains(namespace), state.withLock({ $0.accounts[namespace] != nil }) else { continue }
      let resource = kinds.definitions[change.kind].resource
      guard
        let before = try? change.previous?.object(),
        let after = change.what == .deleted ? nil : try? change.record.object()
      else {
        noteSimply(change, resource, namespace)
        isStale = true
        continue
      }
      let delta = Self.difference(ResourceUsage(of: before, resource), ResourceUsage(of: after, resource))
      if !delta.isEmpty {
        add(delta, to: namespace)
        isStale = true
      }
    }
    for namespace in reopened { open(namespace) }
    if isStale || !reopened.isEmpty { signal.raise() }
  }

  /// An object that came or went.
  private func noteSimply(_ change: ObjectChange, _ resource: Resource, _ namespace: String) {
    guard let object = try? change.record.object() else { return }
    let usage = ResourceUsage(of: (try? change.previous?.object()) ?? object, resource)
    switch change.what {
    case .added: add(usage.amounts, to: namespace)
    case .deleted: add(usage.amounts.mapValues { -$0 }, to: namespace)
    case .modified: break
    }
  }

  private func add(_ delta: [String: Int128], to namespace: String) {
    state.withLock { state in
      state.accounts[namespace]?.used.merge(delta, uniquingKeysWith: +)
      state.stale.insert(namespace)
    }
  }

  /// Makes a namespace's account from what it holds; without quotas it has none.
  private func open(_ namespace: String) {
    guard let quotaKind else { return }
    var account = Account()
    for (key, record) in cache.snapshot(of: quotaKind).map.elements(from: ObjectKey(namespace: namespace, name: "")) {
      guard key.namespace == namespace else { break }
      guard let quota = try? record.object() else { continue }
      account.hard[key.name] = quota.spec["hard"].members.compactMapValues { value in
        value.string.flatMap { Quantity($0)?.milli } ?? value.int.map { Int128($0) * 1000 }
      }
    }
    if !account.hard.isEmpty { account.used = count(namespace) }
    let final = account
    state.withLock { state in
      state.accounts[namespace] = final.hard.isEmpty ? nil : final
      if !final.hard.isEmpty { state.stale.insert(namespace) }
    }
  }

  private func count(_ namespace: String) -> [String: Int128] {
    var used: [String: Int128] = [:]
    for (kind, definition) in kinds.definitions.enumerated() where definition.resource.isNamespaced {
      let elements = cache.snapshot(of: kind).map.elements(from: ObjectKey(namespace: namespace, name: ""))
      for (key, record) in elements {
        guard key.namespace == namespace else { break }
        guard let object = try? record.object() else { continue }
        used.merge(ResourceUsage(of: object, definition.resource).amounts, uniquingKeysWith: +)
      }
    }
    return used
  }

  // MARK: Status

  /// Writes `status.used` of quotas whose account changed, until the task is cancelled.
  func run(on server: APIServer) async {
    let client = server.client(as: .component("resourcequota"))
    signal.raise()
    while await signal.wait() {
      let stale = state.withLock { state in
        defer { state.stale = [] }
        return state.stale
      }
      for namespace in stale {
        for (quota, status) in statuses(of: namespace) {
          do {
            try await client.patch(
              .resourceQuotas, namespace: namespace, name: quota, subresource: "status", ["status": status])
          } catch {
            guard (error as? APIStatus)?.isNotFound != true, !Task.isCancelled else { continue }
            server.logger.warning(
              "cannot write a quota's status",
              metadata: ["namespace": "\(namespace)", "quota": "\(quota)", "error": "\(error)"])
          }
        }
      }
    }
  }

  private func statuses(of namespace: String) -> [(String, JSONValue)] {
    guard let account = state.withLock({ $0.accounts[namespace] }) else { return [] }
    return account.hard.map { quota, hard in
      let limits = hard.map { ($0.key, JSONValue.string(ResourceUsage.text($0.value, of: $0.key))) }
      let used = hard.keys.map { ($0, JSONValue.string(ResourceUsage.text(account.used[$0] ?? 0, of: $0))) }
      return (
        quota,
        [
          "hard": .object(Dictionary(limits, uniquingKeysWith: { first, _ in first })),
          "used": .object(Dictionary(used, uniquingKeysWith: { first, _ in first })),
        ]
      )
    }
  }
}
