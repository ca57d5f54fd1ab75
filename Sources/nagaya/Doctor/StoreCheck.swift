import APIServer
import Foundation
import ObjectStore

extension Examination {
  /// Stored objects: which the next start would set apart, or the running server did.
  func store() async -> [Diagnosis] {
    guard FileManager.default.fileExists(atPath: layout.objects) else {
      return [Diagnosis(.notice, "store", "nothing is stored yet (\(layout.objects))")]
    }
    // Looking must not make keys: with new ones nothing that was sealed before could be opened.
    guard FileManager.default.fileExists(atPath: layout.encryptionKeys) else {
      return [
        Diagnosis(
          .error, "store", "\(layout.encryptionKeys) is missing: stored secrets cannot be opened without it",
          remedy: "put it back from your backup before the next start; secrets are lost without it")
      ]
    }
    do {
      let damaged = try await StoreFile.damaged(in: try StoreFile.sealed(layout))
      if damaged.isEmpty { return [Diagnosis(.ok, "store", "every stored object can be read")] }
      var found = damaged.prefix(20).map { object in
        Diagnosis(
          .error, "store", "\(object.key) is set apart: \(object.reason)",
          remedy: "repair it: nagaya store export \(object.key.resource) \(Self.quoted(object.key.namespace)) "
            + "\(object.key.name), then nagaya store restore (see `nagaya store --help`)")
      }
      if damaged.count > 20 {
        found.append(
          Diagnosis(
            .error, "store", "\(damaged.count - 20) more are set apart", remedy: "see `nagaya store list-damaged`"))
      }
      return found
    } catch {
      return [
        Diagnosis(
          .error, "store", "\(layout.objects) cannot be read: \(error)",
          remedy: "put it back from your backup; what cannot be read is kept beside it")
      ]
    }
  }

  private static func quoted(_ namespace: String) -> String { namespace.isEmpty ? "\"\"" : namespace }
}
