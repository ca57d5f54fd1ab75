import Locking
import OCI

/// Where registries are reached: containerd's `config_path`, read again when it may have changed.
final class HostsDirectory: Sendable {
  private struct Known {
    var hosts: [RegistryHost]
    var until: ContinuousClock.Instant
  }

  private let path: String?
  private let known = Mutex<[String: Known]>([:])
  private static let lifetime = Duration.seconds(10)

  init(_ path: String?) { self.path = path }

  /// Mirrors first, the registry itself last.
  /// - Parameter registry: `docker.io`, `127.0.0.1:5000`.
  func hosts(for registry: String) throws(RegistryError) -> [RegistryHost] {
    let now = ContinuousClock.now
    if let known = known.withLock({ $0[registry] }), known.until > now { return known.hosts }
    let hosts: [RegistryHost]
    do throws(HostsFile.Failure) { hosts = try read(registry) } catch {
      throw RegistryError(.misconfigured, host: registry, reason: "\(error.path): \(error.reason)")
    }
    known.withLock {
      if $0.count > 1000 { $0.removeAll() }
      $0[registry] = Known(hosts: hosts, until: now + Self.lifetime)
    }
    return hosts
  }

  /// The first of `<path>/<host>_<port>_`, `<path>/<host>:<port>` and `<path>/_default` that is there.
  private func read(_ registry: String) throws(HostsFile.Failure) -> [RegistryHost] {
    guard HTTPAddress.authority(registry[...]) != nil else {
      throw HostsFile.Failure(path: registry, reason: "this is no host")
    }
    var directories: [String] = []
    if let path {
      if let colon = registry.lastIndex(of: ":"), !registry.hasSuffix("]") {
        directories.append("\(path)/\(registry[..<colon])_\(registry[registry.index(after: colon)...])_")
      }
      directories += ["\(path)/\(registry)", "\(path)/_default"]
    }
    let directory = directories.first(where: BoundedFile.isDirectory) ?? "/nonexistent"
    return try HostsFile(registry: registry, directory: directory).hosts()
  }
}
