import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Deletes Events that nothing was added to for an hour. They are read page by page, not watched: there may be many.
public struct EventExpiry: Service {
  private let client: KubernetesClient
  private let lifetimeSeconds: Int64
  private let interval: Duration
  private let logger: Logger

  public init(
    _ client: KubernetesClient, lifetimeSeconds: Int64 = 3600, interval: Duration = .seconds(300), logger: Logger
  ) {
    self.client = client
    self.lifetimeSeconds = lifetimeSeconds
    self.interval = interval
    self.logger = logger
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do { try await Task.sleep(for: self.interval) } catch { return }
        do { try await self.sweep(now: .now) } catch {
          if Task.isCancelled { return }
          self.logger.warning("cannot delete old events, trying again later", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  /// Deletes what is too old now.
  func sweep(now: Timestamp) async throws {
    var next: String?
    repeat {
      let page = try await client.listPage(.events, continuing: next)
      for event in page.items where Self.isExpired(event, lifetimeSeconds: lifetimeSeconds, now: now) {
        do {
          try await client.delete(.events, namespace: event.namespace, name: event.name, uid: event.uid)
        } catch let status as APIStatus where status.isNotFound || status.isConflict { continue }
      }
      next = page.next
    } while next != nil
  }

  static func isExpired(_ event: KubernetesObject, lifetimeSeconds: Int64, now: Timestamp) -> Bool {
    let times = [
      event["lastTimestamp"], event["series"]["lastObservedTime"], event["eventTime"],
      event.metadata["creationTimestamp"],
    ].compactMap { $0.string.flatMap(Timestamp.init) }
    guard let last = times.max() else { return false }
    return last.adding(seconds: lifetimeSeconds) <= now
  }
}
