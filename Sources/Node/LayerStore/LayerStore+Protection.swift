import LinuxSystem
import OCI

extension LayerStore {
  /// The writer of a data file that was marked by an earlier process and is kept for us.
  func heldWriter(_ key: LayerKey) throws -> SharedDescriptor? { nil }
  func protect(_ key: LayerKey, _ fill: LayerFill) async throws {}
  func unprotect(_ key: LayerKey) async {}
  /// Marks again what is mounted.
  func adopt() async throws {
    for (key, entry) in entries where entry.isInUse && !entry.record.isComplete {
      try await mark(key, try await load(key))
    }
  }
  func takeOver(_ events: EventThread) async throws { desk.journal.clear() }
  func keepProtected(_ events: EventThread) async {}
  func letGo() async {}
}
