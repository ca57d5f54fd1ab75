import Collections
import JSONDocument
import KubernetesAPI
import Locking
import Logging
import ServiceLifecycle

/// Tells users what happened to an object, as Events (core/v1).
///
/// Recording never waits and never fails. The same event again within 10 minutes counts the first one up. An object
/// gets at most 25 events at once and then one every 5 minutes; of what is too much, the oldest is lost.
public final class EventRecorder: Service, Sendable {
  public enum Kind: String, Sendable {
    case normal = "Normal"
    case warning = "Warning"
  }

  private struct Record: Sendable {
    let object: JSONValue
    let namespace: String
    let name: String
    let uid: String
    let kind: Kind
    let reason: String
    let message: String
    let time: Timestamp

    var identity: Identity { Identity(uid: uid, namespace: namespace, name: name, reason: reason, message: message) }
  }

  private struct Identity: Hashable {
    let uid: String
    let namespace: String
    let name: String
    let reason: String
    let message: String
  }

  private struct Known {
    var name: String
    var count: Int
    var last: Timestamp
  }

  /// Tokens of one object: 25, one more every 300 s.
  private struct Bucket {
    var tokens: Double
    var time: Timestamp
  }

  private let client: KubernetesClient
  private let component: String
  private let host: String
  private let logger: Logger
  private let pending = Mutex<Deque<Record>>([])
  private let arrived = Signal()
  /// Raised when a server that was away is back.
  private let returned = Signal()

  /// - Parameters:
  ///   - component: who reports: `deployment-controller`.
  ///   - host: the node it reports from, if that matters.
  public init(_ client: KubernetesClient, component: String, host: String = "", logger: Logger) {
    self.client = client
    self.component = component
    self.host = host
    self.logger = logger
    client.transport.reachability?.onReturn { [weak returned] in
      returned?.raise()
      return returned != nil
    }
  }

  /// Tells that something happened to an object.
  /// - Parameters:
  ///   - reason: one word in CamelCase: `FailedScheduling`.
  ///   - message: a sentence for people.
  public func record(_ kind: Kind, about object: KubernetesObject, reason: String, message: String) {
    var reference: JSONValue = [
      "apiVersion": .string(object.apiVersion), "kind": .string(object.kind), "name": .string(object.name),
      "uid": .string(object.uid), "resourceVersion": .string(object.resourceVersion),
    ]
    if !object.namespace.isEmpty { reference["namespace"] = .string(object.namespace) }
    let record = Record(
      object: reference, namespace: object.namespace.isEmpty ? "default" : object.namespace, name: object.name,
      uid: object.uid, kind: kind, reason: reason, message: String(message.prefix(1024)), time: .now)
    pending.withLock { pending in
      if pending.count >= 1000 { pending.removeFirst() }
      pending.append(record)
    }
    arrived.raise()
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      var known: [Identity: Known] = [:]
      var buckets: [String: Bucket] = [:]
      while !Task.isCancelled {
        guard let record = self.pending.withLock({ $0.popFirst() }) else {
          await self.arrived.wait()
          continue
        }
        let isNew = known[record.identity] == nil
        guard !isNew || Self.takeToken(of: record, from: &buckets) else { continue }
        await self.deliver(record, known: &known)
        if known.count > 4096 { known = known.filter { $0.value.last.adding(seconds: 600) > .now } }
        if buckets.count > 4096 { buckets = buckets.filter { $0.value.time.adding(seconds: 7500) > .now } }
        if known.count > 8192 { known = [:] }
        if buckets.count > 8192 { buckets = [:] }
      }
    }
  }

  /// Writes it; while there is no server to connect to, it waits for one, and what happens meanwhile behind it.
  private func deliver(_ record: Record, known: inout [Identity: Known]) async {
    while !Task.isCancelled {
      do { return try await write(record, known: &known) } catch {
        guard client.transport.reachability?.isAway == true else {
          logger.debug("cannot write an event", metadata: ["reason": "\(record.reason)", "error": "\(error)"])
          return
        }
        await returned.wait(atMost: .seconds(5))
      }
    }
  }

  private static func takeToken(of record: Record, from buckets: inout [String: Bucket]) -> Bool {
    let key = "\(record.namespace)/\(record.name)/\(record.uid)"
    var bucket = buckets[key] ?? Bucket(tokens: 25, time: record.time)
    bucket.tokens = min(25, bucket.tokens + Double(record.time.seconds(since: bucket.time)) / 300)
    bucket.time = record.time
    defer { buckets[key] = bucket }
    guard bucket.tokens >= 1 else { return false }
    bucket.tokens -= 1
    return true
  }

  private func write(_ record: Record, known: inout [Identity: Known]) async throws {
    let identity = record.identity
    if let before = known[identity], before.last.adding(seconds: 600) > record.time {
      let change: JSONValue = ["count": JSONValue(before.count + 1), "lastTimestamp": .string(record.time.description)]
      do {
        try await client.patch(.events, namespace: record.namespace, name: before.name, change)
        known[identity] = Known(name: before.name, count: before.count + 1, last: record.time)
        return
      } catch let status as APIStatus where status.isNotFound {
        known[identity] = nil  // it has expired meanwhile
      }
    }
    let name = "\(record.name.prefix(230)).\(String(UInt64.random(in: .min ... .max), radix: 16))"
    var event = KubernetesObject(.events, namespace: record.namespace, name: name)
    event["involvedObject"] = record.object
    event["type"] = .string(record.kind.rawValue)
    event["reason"] = .string(record.reason)
    event["message"] = .string(record.message)
    event["count"] = 1
    event["firstTimestamp"] = .string(record.time.description)
    event["lastTimestamp"] = .string(record.time.description)
    event["source"] = ["component": .string(component)]
    if !host.isEmpty { event["source"]["host"] = .string(host) }
    event["reportingComponent"] = .string(component)
    event["reportingInstance"] = .string(host)
    try await client.create(event, as: .events)
    known[identity] = Known(name: name, count: 1, last: record.time)
  }
}
