import Foundation
import KubernetesAPI
import Locking

/// The way to an API server that a kubeconfig file describes, now: when the file is written anew (its certificate was renewed),
/// the next request goes by it. Watches that are open stay on the connection they began on.
public final class KubeconfigTransport: APITransport {
  private struct State {
    var stamp: Stamp?
    var transport: HTTPSTransport?
    /// Kept until the next change, for the answers that are still being read from it.
    var previous: HTTPSTransport?
  }
  private struct Stamp: Equatable {
    let modified: Date?
    let file: Int?
  }

  private let path: String
  private let connection: @Sendable () throws -> Kubeconfig.Connection
  private let state = Mutex(State())
  private let server = Reachability()

  /// - Parameter path: of the kubeconfig; its current context is what counts.
  public convenience init(path: String) {
    self.init(watching: path) { try Kubeconfig.load(explicit: path).connection() }
  }

  /// - Parameters:
  ///   - path: of the file that is written anew when the connection is to be another.
  ///   - connection: what it is then.
  init(watching path: String, connection: @escaping @Sendable () throws -> Kubeconfig.Connection) {
    self.path = path
    self.connection = connection
  }

  public var reachability: Reachability? { server }

  public func send(_ request: APIRequest) async throws -> APIResponse {
    try await current().send(request)
  }

  /// - Throws: `KubeconfigError` if the file cannot be used and never could; a broken new file leaves the old way open.
  private func current() throws -> HTTPSTransport {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    let stamp = Stamp(
      modified: attributes?[.modificationDate] as? Date, file: (attributes?[.systemFileNumber] as? NSNumber)?.intValue)
    return try state.withLock { state in
      if let transport = state.transport, state.stamp == stamp { return transport }
      do {
        let transport = try HTTPSTransport(try connection(), server: server)
        state.previous = state.transport
        state.transport = transport
      } catch {
        guard state.transport != nil else { throw error }
      }
      state.stamp = stamp
      guard let transport = state.transport else { throw KubeconfigError.noContext(paths: [path]) }
      return transport
    }
  }
}
