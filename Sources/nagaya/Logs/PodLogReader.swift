import BoundedNumbers
import KubernetesAPI
import KubernetesClient
import Locking

/// Prints the logs of pods; lines carry their pod's name if there are several.
struct PodLogReader: Sendable {
  var client: KubernetesClient
  var namespace: String
  /// Parameters of the log request.
  var query: [(name: String, value: String)]

  /// One pod after the other.
  func show(_ pods: [KubernetesObject]) async throws {
    var faults: [APIStatus] = []
    for pod in pods {
      do { try await print(pod.name, isNamed: { pods.count > 1 }) } catch let status as APIStatus {
        // One copy that has not started yet does not hide the others' words.
        faults.append(status)
      }
    }
    if faults.count == pods.count, let first = faults.first { throw first }
    for fault in faults { Console.note("note: \(fault.message)") }
  }

  /// All pods at once, as they print. Lines name their pod from the moment that there is a second one.
  /// - Parameter app: its new pods are taken in too; `nil`: only `pods`, until they end.
  func follow(_ pods: [KubernetesObject], app: String?) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let names = FollowedPods()
      var followed: Set<String> = []
      func add(_ pod: KubernetesObject) {
        guard Self.hasStarted(pod), followed.insert(Self.incarnation(pod)).inserted else { return }
        names.add(pod.name)
        group.addTask { try await printWhileThere(pod.name, isNamed: { names.areSeveral }) }
      }
      pods.forEach(add)
      guard let app else {
        try await group.waitForAll()
        return
      }
      let labels = AppParts.selector(app)
      while true {
        let list = try await client.list(.pods, namespace: namespace, labels: labels)
        list.items.forEach(add)
        do {
          let events = try await client.watch(
            .pods, namespace: namespace, labels: labels, from: list.resourceVersion)
          for try await event in events {
            switch event {
            case .added(let pod), .modified(let pod): add(pod)
            case .deleted, .bookmark: continue
            }
          }
        } catch let status as APIStatus where status.isExpired {}
        try await WatchPause.take()
      }
    }
  }

  private static func hasStarted(_ pod: KubernetesObject) -> Bool {
    pod.status["containerStatuses"].elements.contains { !$0["state"]["running"].isNull }
  }

  /// A container that was restarted has a log of its own.
  private static func incarnation(_ pod: KubernetesObject) -> String {
    let restarts = pod.status["containerStatuses"].elements.reduce(0) { $0.clampedAdding($1["restartCount"].int ?? 0) }
    return "\(pod.uid)/\(restarts)"
  }

  private func printWhileThere(_ pod: String, isNamed: @escaping () -> Bool) async throws {
    do { try await print(pod, isNamed: isNamed) } catch let status as APIStatus where status.isNotFound {
      // It was deleted while it was asked for: there is nothing more to say.
    }
  }

  private func print(_ pod: String, isNamed: () -> Bool) async throws {
    let request = APIRequest(
      .get, Resource.pods.path(namespace: namespace, name: pod, subresource: "log"), query: query, accept: "*/*")
    for try await line in try await client.send(request).body.lines {
      Console.current.write((isNamed() ? "[\(pod)] " : "") + String(decoding: line, as: UTF8.self) + "\n")
    }
  }
}

/// The pods whose logs are followed together.
private final class FollowedPods: Sendable {
  private let names = Mutex<Set<String>>([])

  func add(_ name: String) { names.withLock { _ = $0.insert(name) } }
  var areSeveral: Bool { names.withLock { $0.count > 1 } }
}
