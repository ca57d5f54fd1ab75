import Foundation
import Testing

@testable import ObjectStore

@Suite struct SQLiteObjectStoreTests {
  @Test func theFileIsKeptAsPromised() async throws {
    try await withTemporaryDirectory { directory in
      let store = try SQLiteObjectStore(path: directory + "/objects.sqlite")
      #expect(try await store.setting("journal_mode") == "wal")
      #expect(try await store.setting("synchronous") == "2")  // FULL
      #expect(try await store.setting("auto_vacuum") == "2")  // incremental
      try store.close()
    }
  }

  @Test func whatWasTakenIsThereAfterAnEndWithoutClosing() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/objects.sqlite"
      let store = try SQLiteObjectStore(path: path)
      try await store.append([write("a", 1), write("b", 2)])
      // As if the process was killed: the file and its log as they are on the disk now.
      for suffix in ["", "-wal"] {
        try FileManager.default.copyItem(atPath: path + suffix, toPath: directory + "/killed.sqlite" + suffix)
      }
      let again = try SQLiteObjectStore(path: directory + "/killed.sqlite")
      #expect(try await everything(again) == everything(store))
      #expect(try await again.revision() == 2)
      try again.close()
      try store.close()
    }
  }

  @Test func maintenanceGivesSpaceBack() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/objects.sqlite"
      let store = try SQLiteObjectStore(path: path)
      let value = String(repeating: "v", count: 20_000)
      try await store.append((0..<200).map { write("n\($0)", UInt64($0) + 1, value) })
      try await store.compact()
      let full = try size(of: path)
      try await store.append((0..<200).map { write("n\($0)", UInt64($0) + 201, over: UInt64($0) + 1, nil) })
      try await store.maintain()
      try await store.compact()
      #expect(try size(of: path) < full / 10)
      #expect(try size(of: path + "-wal") == 0)
      try store.close()
    }
  }

  private func size(of path: String) throws -> Int {
    (try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.intValue ?? 0
  }

  @Test func aFileThatIsNoStoreIsRefused() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/objects.sqlite"
      try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: path))
      do throws(StoreError) {
        _ = try SQLiteObjectStore(path: path)
        Issue.record("a file of noise was opened")
      } catch {
        guard case .corrupt = error else {
          Issue.record("not the right refusal: \(error)")
          return
        }
      }
    }
  }

  @Test func aLaterFormatIsRefused() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/objects.sqlite"
      let store = try SQLiteObjectStore(path: path)
      _ = try await store.setting("user_version = 99")
      try store.close()
      #expect(throws: StoreError.newerFormat(path: path, version: 99)) { _ = try SQLiteObjectStore(path: path) }
    }
  }

  @Test func aCancelledTaskDoesNotLoseItsBatch() async throws {
    try await withTemporaryDirectory { directory in
      let store = try SQLiteObjectStore(path: directory + "/objects.sqlite")
      let task = Task { try await store.append([write("a", 1)]) }
      task.cancel()
      try await task.value
      #expect(try await store.revision() == 1)
      try store.close()
    }
  }
}
