import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// Whose share a request is of: that of who sent it, whomever it is to be answered as, within that of their tenant.
  func flow(of user: UserInfo, asking request: APIRequest) -> FlowControl.Flow {
    if user.groups.contains(UserInfo.mastersGroup) { return .init(level: .exempt, name: user.name) }
    if user.groups.contains(UserInfo.nodesGroup) || user.name.hasPrefix("system:nagaya:") {
      return .init(level: .system, name: user.name)
    }
    // A tenant can make service accounts without end; they share what one user has.
    if let account = UserInfo.serviceAccountName(user.name) {
      let tenant = tenant(of: account.namespace)
      return .init(level: .tenants, name: "tenant:\(tenant ?? account.namespace)", tenant: tenant)
    }
    return .init(level: .tenants, name: user.name, tenant: tenant(of: user, asking: request))
  }

  /// Namespaces of a user that are looked at to learn their tenant, where the request names none of them.
  private static let namespacesLookedAt = 16

  /// The tenant whose share a user's request is of: of the namespace that it names, if the user was given rights there (to
  /// ask for others' namespaces must not take of their share); else the only one in which they have any.
  private func tenant(of user: UserInfo, asking request: APIRequest) -> String? {
    let granted = authorizer.namespacesGranted(to: user)
    guard !granted.isEmpty else { return nil }
    if let named = RequestTarget(path: request.path)?.namespace, granted.contains(where: { $0.contains(named) }),
      let tenant = tenant(of: named)
    {
      return tenant
    }
    var only: String?
    for namespace in granted.joined().prefix(Self.namespacesLookedAt) {
      guard let tenant = tenant(of: namespace), tenant != only else { continue }
      guard only == nil else { return nil }
      only = tenant
    }
    return only
  }

  private func tenant(of namespace: String) -> String? {
    kinds.find(group: "", version: "v1", plural: "namespaces")
      .flatMap { cache.record($0, ObjectKey(namespace: "", name: namespace)) }?.labels["nagaya.dev/tenant"]
  }

  /// What a request will take, as far as that is known before it is understood.
  func work(of request: APIRequest) -> FlowControl.Work {
    guard let target = RequestTarget(path: request.path),
      let kind = kinds.find(group: target.group, version: target.version, plural: target.plural)
    else {
      // Reviews and documents.
      return .init(duration: .short, cost: request.method == .get ? 1 : 2)
    }
    if target.subresource == "log" { return .init(duration: .log, cost: 1) }
    guard target.name == nil, request.method == .get || request.method == .delete else {
      return .init(duration: .short, cost: 1)
    }
    let isWatch = request.method == .get && request.flag("watch")
    // Everything that is looked at counts, chosen or not; of a page, what is asked for.
    let all = cache.size(of: kind).objects
    let limit = isWatch ? nil : (try? request.number("limit")) ?? nil
    let looked = isWatch && !Self.beginsWithAll(request) ? 0 : limit.map { $0 > 0 ? min($0, all) : all } ?? all
    return .init(duration: isWatch ? .watch : .list, cost: 1 + min(looked / 250, configuration.listSeats - 1))
  }

  /// The answer, which holds its flow's permit for as long as it is under way.
  func holding(_ permit: FlowControl.Permit, _ work: FlowControl.Work, _ response: APIResponse) -> APIResponse {
    guard case .stream(let stream) = response.body else {
      permit.end()
      return response
    }
    // A watch that begins with little is no work worth a seat.
    if work.duration == .log || work.duration == .watch && work.cost == 1 { permit.endSeat() }
    flows.bound(permit)
    var response = response
    response.body = .stream(
      ByteStream(HeldStream(base: stream, permit: permit, endsSeatWhenEmpty: work.duration == .watch)))
    return response
  }

  /// Whether a watch first tells all that there is: as much work as a list.
  private static func beginsWithAll(_ request: APIRequest) -> Bool {
    if let text = request.parameter("sendInitialEvents") { return text == "true" || text == "1" }
    let version = request.parameter("resourceVersion") ?? ""
    return version.isEmpty || version == "0"
  }
}

/// A stream that lets go of a permit with its end, or when nobody reads it any more.
private struct HeldStream: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  let base: ByteStream
  let permit: FlowControl.Permit
  /// A watch has told its beginning with an empty chunk (`WatchStream`); what follows is no work of its own.
  let endsSeatWhenEmpty: Bool

  func makeAsyncIterator() -> Iterator {
    Iterator(base: base.makeAsyncIterator(), permit: permit, endsSeatWhenEmpty: endsSeatWhenEmpty)
  }

  struct Iterator: AsyncIteratorProtocol {
    var base: ByteStream.AsyncIterator
    let permit: FlowControl.Permit
    let endsSeatWhenEmpty: Bool

    mutating func next() async throws -> [UInt8]? {
      do {
        if let chunk = try await base.next() {
          if chunk.isEmpty, endsSeatWhenEmpty { permit.endSeat() }
          return chunk
        }
      } catch {
        permit.end()
        throw error
      }
      permit.end()
      return nil
    }
  }
}
