import APIServer
import CertificateAuthority
import Foundation
import Logging
import ServiceLifecycle

/// Renews the API's certificate and the parts' while everything runs: both live for a week and are made anew when two
/// thirds of it are over. Successors of roots are made at start and taken up with the next one; they wait for years.
struct CredentialRenewal: Service {
  let authorities: PlatformAuthorities
  let credentials: PartCredentials
  let front: HTTPSFront
  /// Host names of the API.
  let names: [String]
  let logger: Logger
  static let interval: Duration = .seconds(3600)

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do { try await Task.sleep(for: Self.interval) } catch { return }
        // A full disk is no reason to stop: two days are left to try again.
        do { try await renew() } catch {
          logger.error("certificates cannot be renewed", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  /// Makes anew what is due.
  func renew(now: Date = Date()) async throws {
    try front.use(try authorities.serverCertificate(names: names, now: now))
    try credentials.write(server: "https://127.0.0.1:\(try await front.port)", now: now)
  }
}
