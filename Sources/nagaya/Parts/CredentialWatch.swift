import Foundation
import Logging
import ServiceLifecycle

/// Takes up files that were written anew while a part runs: certificates, roots.
struct CredentialWatch: Service {
  /// What is looked at.
  let paths: [String]
  let interval: Duration
  let logger: Logger
  /// Takes up what the files hold. Files of one kind are not replaced in one step: what cannot be read yet is read again.
  let takeUp: @Sendable () throws -> Void

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var known = stamps()
      while !Task.isCancelled {
        do { try await Task.sleep(for: min(interval, .seconds(60))) } catch { return }
        let current = stamps()
        guard current != known else { continue }
        do {
          try takeUp()
          known = current
          logger.info("took up renewed certificates", metadata: ["first": "\(paths.first ?? "")"])
        } catch {
          logger.warning("renewed certificates cannot be taken up yet", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  private struct Stamp: Equatable {
    let modified: Date?
    let file: Int?
  }

  private func stamps() -> [Stamp] {
    paths.map { path in
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      return Stamp(
        modified: attributes?[.modificationDate] as? Date, file: (attributes?[.systemFileNumber] as? NSNumber)?.intValue
      )
    }
  }
}
