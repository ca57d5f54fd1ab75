import LinuxSystem

/// Keeps pods apart: whom a pod can reach, and that it can only speak as itself.
///
/// A pod is in the rules before its first container starts, and until its sandbox has stopped. The rules are the
/// kernel's: they hold while no agent runs; the next one makes them anew from what runs (`replace`).
public actor PodFirewall {
  nonisolated let network: PodNetwork
  private let rules: FirewallRules
  /// What the kernel has, by sandbox.
  private var members: [String: FirewallRules.Member] = [:]
  private var zones: Set<NetworkZone> = []
  /// The change before: each waits for it, so that they reach the kernel in the order in which they were asked for.
  private var latest: Task<Void, Never>?

  init(network: PodNetwork) {
    self.network = network
    rules = FirewallRules(network: network)
  }

  /// Makes the rules anew for exactly these sandboxes, in one transaction.
  func replace(_ wanted: [String: FirewallRules.Member]) async throws {
    try await inOrder { try await $0.rebuild(wanted) }
  }

  /// Lets a pod speak and be reached, in one transaction; nothing happens if the kernel has it so already.
  func admit(_ sandbox: String, _ member: FirewallRules.Member) async throws {
    if members[sandbox] == member { return }
    try await inOrder { try await $0.exchange(sandbox, member) }
  }

  /// Takes a sandbox that has stopped out of the rules.
  func withdraw(_ sandbox: String) async throws {
    try await inOrder { try await $0.exchange(sandbox, nil) }
  }

  /// Moves pods to the zones that their namespaces have now, and removes zones that have no pods.
  func rezone(_ zone: @escaping @Sendable (String) -> NetworkZone?) async throws {
    try await inOrder { firewall in
      for (sandbox, member) in firewall.members {
        guard let zone = zone(member.namespace), zone != member.zone else { continue }
        var moved = member
        moved.zone = zone
        try await firewall.exchange(sandbox, moved)
      }
      try await firewall.sweep()
    }
  }

  /// Makes the rules anew if somebody took them away, as a restart of the machine's own firewall does.
  /// - Returns: whether they were there.
  func restoreIfMissing() async throws -> Bool {
    let answer = try await Command.result("nft", ["list", "chain", "inet", network.table, "forward"])
    if answer.exitCode == 0 { return true }
    try await inOrder { try await $0.rebuild($0.members) }
    return false
  }

  /// Takes a network's rules away; call it when none of its pods is left.
  public static func remove(_ network: PodNetwork) async throws {
    try await Command.run("nft", ["-f", "-"], input: FirewallRules(network: network).removal)
  }

  // MARK: Steps, one after the other

  private func exchange(_ sandbox: String, _ member: FirewallRules.Member?) async throws {
    let old = members[sandbox]
    guard old != member else { return }
    var text = ""
    // An address or a link that is given out again is no longer whose it was, whatever was told of that one's end.
    let stale = members.filter { key, other in
      key == sandbox
        || member.map { $0.endpoint.address == other.endpoint.address || $0.endpoint.link == other.endpoint.link }
          ?? false
    }
    for other in stale.values { text += rules.removal(of: other) }
    if let member {
      if !zones.contains(member.zone) { text += rules.zone(member.zone) }
      text += rules.addition(member)
    }
    var wanted = members
    for key in stale.keys { wanted[key] = nil }
    wanted[sandbox] = member
    do { try await run(text) } catch {
      // The kernel has something else than what is remembered: what is wanted is told to it as a whole.
      try await rebuild(wanted)
      return
    }
    members = wanted
    if let member { zones.insert(member.zone) }
  }

  private func rebuild(_ wanted: [String: FirewallRules.Member]) async throws {
    try await run(rules.replacement(Array(wanted.values)))
    members = wanted
    zones = Set(wanted.values.map(\.zone))
  }

  /// Removes zones without pods.
  private func sweep() async throws {
    let empty = zones.subtracting(members.values.map(\.zone))
    guard !empty.isEmpty else { return }
    try await run(empty.map(rules.removal(of:)).joined())
    zones.subtract(empty)
  }

  private func run(_ text: String) async throws { try await Command.run("nft", ["-f", "-"], input: text) }

  private func inOrder(_ body: @escaping @Sendable (isolated PodFirewall) async throws -> Void) async throws {
    let before = latest
    let task = Task {
      await before?.value
      try await body(self)
    }
    latest = Task { _ = await task.result }
    // A change that was begun is finished: a pod that is cancelled half-way must not leave the kernel in between.
    try await task.value
  }
}
