import Foundation
import ObjectStore
import TestSupport
import Testing

/// The stores that must keep the contract of `ObjectStoring`.
enum StoreKind: String, CaseIterable, Sendable {
  case memory
  case sqlite

  /// Runs `body` with an empty store, and takes its file away afterwards.
  func withStore(maximumBytes: Int? = nil, _ body: (any ObjectStoring) async throws -> Void) async throws {
    switch self {
    case .memory: try await body(MemoryObjectStore(maximumBytes: maximumBytes))
    case .sqlite:
      try await withTemporaryDirectory { directory in
        let store = try SQLiteObjectStore(path: directory + "/objects.sqlite", maximumBytes: maximumBytes)
        try await body(store)
        try store.close()
      }
    }
  }
}

func withTemporaryDirectory(_ body: (String) async throws -> Void) async throws {
  let directory = "/tmp/nagaya-store-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: directory) }
  try await body(directory)
}

func write(
  _ name: String, _ revision: UInt64, over old: UInt64? = nil, _ value: String? = "x", in resource: String = "pods"
)
  -> StoreWrite
{
  StoreWrite(
    key: StoreKey(resource: resource, namespace: "default", name: name),
    precondition: old.map { .revision($0) } ?? .absent, revision: revision, value: value.map { Array($0.utf8) })
}

func everything(_ store: any ObjectStoring) async throws -> [StoredObject] {
  try await store.read(resource: nil, after: nil, limit: 1_000_000, at: nil).objects
}

@Suite struct StoreConformanceTests {
  @Test(arguments: StoreKind.allCases) func aBatchIsReadBack(kind: StoreKind) async throws {
    try await kind.withStore { store in
      #expect(try await store.revision() == 0)
      try await store.append([write("b", 1, "two"), write("a", 2, ""), write("c", 5, "\0\u{FF}")])
      #expect(try await store.revision() == 5)
      let objects = try await everything(store)
      #expect(objects.map(\.key.name) == ["a", "b", "c"])
      #expect(objects.map(\.revision) == [2, 1, 5])
      #expect(objects.map { String(decoding: $0.value, as: UTF8.self) } == ["", "two", "\0\u{FF}"])
    }
  }

  @Test(arguments: StoreKind.allCases) func aBatchIsTakenWholeOrNotAtAll(kind: StoreKind) async throws {
    try await kind.withStore { store in
      try await store.append([write("a", 1)])
      let before = try await everything(store)
      await #expect(throws: StoreError.preconditionFailed(write("a", 3).key)) {
        try await store.append([write("b", 2), write("a", 3)])
      }
      await #expect(throws: StoreError.preconditionFailed(write("a", 3).key)) {
        try await store.append([write("b", 2), write("a", 3, over: 7, "y")])
      }
      await #expect(throws: StoreError.preconditionFailed(write("gone", 3).key)) {
        try await store.append([write("b", 2), write("gone", 3, over: 1, nil)])
      }
      #expect(try await everything(store) == before)
      #expect(try await store.revision() == 1)
    }
  }

  @Test(arguments: StoreKind.allCases) func revisionsNeverGoBack(kind: StoreKind) async throws {
    try await kind.withStore { store in
      try await store.append([write("a", 4)])
      try await store.append([write("a", 9, over: 4, nil)])
      #expect(try await everything(store).isEmpty)
      #expect(try await store.revision() == 9)
      await #expect(throws: StoreError.revisionNotIncreasing(9, current: 9)) { try await store.append([write("b", 9)]) }
      await #expect(throws: StoreError.revisionNotIncreasing(10, current: 11)) {
        try await store.append([write("b", 11), write("c", 10)])
      }
      try await store.compact()
      #expect(try await store.revision() == 9)
    }
  }

  @Test(arguments: StoreKind.allCases) func pagesFitTogether(kind: StoreKind) async throws {
    try await kind.withStore { store in
      var batch: [StoreWrite] = []
      for index in 0..<1000 {
        batch.append(write("n\(index % 500)", UInt64(index + 1), in: index < 500 ? "pods" : "podtemplates"))
      }
      try await store.append(batch)
      var read: [StoredObject] = []
      var after: StoreKey?
      repeat {
        let page = try await store.read(resource: "pods", after: after, limit: 77, at: 1000)
        read += page.objects
        after = page.hasMore ? page.objects.last?.key : nil
      } while after != nil
      #expect(read.count == 500)
      #expect(read.allSatisfy { $0.key.resource == "pods" })
      #expect(read.map(\.key) == read.map(\.key).sorted())
      await #expect(throws: StoreError.moved(asked: 999, current: 1000)) {
        _ = try await store.read(resource: "pods", after: nil, limit: 1, at: 999)
      }
      #expect(try await everything(store).count == 1000)
    }
  }

  @Test(arguments: StoreKind.allCases) func aFullStoreRefusesWritesAndGoesOnReading(kind: StoreKind) async throws {
    try await kind.withStore(maximumBytes: 400_000) { store in
      let value = String(repeating: "v", count: 10_000)
      var revision: UInt64 = 0
      var refused: StoreError?
      while refused == nil, revision < 100 {
        do throws(StoreError) {
          try await store.append([write("n\(revision)", revision + 1, value)])
          revision += 1
        } catch { refused = error }
      }
      guard case .full = refused else {
        Issue.record("expected a full store, not \(String(describing: refused))")
        return
      }
      #expect(revision > 10)
      #expect(try await store.revision() == revision)
      #expect(try await everything(store).count == Int(revision))
      // Room made by a removal can be used again.
      for index in 0..<3 {
        try await store.append([write("n\(index)", revision + UInt64(index) + 1, over: UInt64(index) + 1, nil)])
      }
      try await store.append([write("again", revision + 9, value)])
    }
  }

  @Test(arguments: StoreKind.allCases) func aSnapshotIsAWholeStore(kind: StoreKind) async throws {
    try await withTemporaryDirectory { directory in
      try await kind.withStore { store in
        try await store.append([write("b", 1), write("a", 2)])
        try await store.append([write("b", 3, over: 1, "new"), write("c", 4)])
        try await store.append([write("c", 5, over: 4, nil)])
        try await store.snapshot(to: directory + "/copy.sqlite")
        let copy = try SQLiteObjectStore(path: directory + "/copy.sqlite")
        #expect(try await everything(copy) == everything(store))
        #expect(try await copy.revision() == 5)
        try copy.close()
      }
    }
  }

  /// The same random history in both stores and in a dictionary: all three agree after every batch.
  @Test func storesAgreeOnRandomHistories() async throws {
    try await StoreKind.sqlite.withStore { sqlite in
      let memory = MemoryObjectStore()
      var model: [StoreKey: (revision: UInt64, value: [UInt8])] = [:]
      var random = SeededGenerator(seed: 16)
      var revision: UInt64 = 0
      for _ in 0..<200 {
        var batch: [StoreWrite] = []
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let key = StoreKey(
            resource: ["a", "b"].randomElement(using: &random) ?? "a",
            name: "n\(Int.random(in: 0..<12, using: &random))")
          revision += UInt64.random(in: 1...3, using: &random)
          let removes = Bool.random(using: &random) && model[key] != nil
          let value: [UInt8]? = removes ? nil : Array("\(revision)".utf8)
          batch.append(
            StoreWrite(
              key: key, precondition: model[key].map { .revision($0.revision) } ?? .absent, revision: revision,
              value: value))
          model[key] = value.map { (revision, $0) }
        }
        try await sqlite.append(batch)
        try await memory.append(batch)
        let expected = model.map { StoredObject(key: $0.key, revision: $0.value.revision, value: $0.value.value) }
          .sorted { $0.key < $1.key }
        #expect(try await everything(sqlite) == expected)
        #expect(try await everything(memory) == expected)
      }
    }
  }
}
