import Foundation
import GRDB

/// A store in one SQLite file (WAL, `synchronous=FULL`: a batch that was taken is on the disk).
///
/// One connection writes; a second one moves the write-ahead log into the file beside it, so that no write waits for that.
public final class SQLiteObjectStore: ObjectStoring {
  public let path: String
  private let writer: DatabaseQueue
  private let checkpointer: DatabaseQueue

  private static let format = 1

  /// Opens the file, or makes it. Its directory must exist.
  /// - Parameters:
  ///   - cacheBytes: memory for pages of the file (SQLite's page cache)
  ///   - maximumBytes: the file may not grow beyond this; `nil`: as the disk allows
  /// - Throws: `StoreError.corrupt`, `.newerFormat`, `.full`, or `.failed` if the file cannot be opened.
  public init(path: String, cacheBytes: Int = 4 << 20, maximumBytes: Int? = nil) throws(StoreError) {
    self.path = path
    do {
      var configuration = Configuration()
      configuration.label = "nagaya.objects"
      configuration.busyMode = .timeout(5)
      configuration.prepareDatabase { database in
        // Takes effect only before the first table is made.
        try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
        try database.execute(sql: "PRAGMA cache_size = \(-max(64, cacheBytes >> 10))")
        // A bound should nobody call `maintain`; in the ordinary case the log stays far below it.
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 16384")
      }
      var writing = configuration
      writing.journalMode = .wal
      writer = try DatabaseQueue(path: path, configuration: writing)
      try writer.inDatabase { database in
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try database.execute(sql: "PRAGMA journal_size_limit = \(8 << 20)")
        if let maximumBytes {
          let pageSize = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 4096
          try database.execute(sql: "PRAGMA max_page_count = \(max(1, maximumBytes / pageSize))")
        }
      }
      try Self.prepare(writer, path)
      checkpointer = try DatabaseQueue(path: path, configuration: configuration)
    } catch {
      throw Self.translate(error, path)
    }
  }

  private static func prepare(_ queue: DatabaseQueue, _ path: String) throws {
    try queue.inDatabase { database in
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      guard version <= format else { throw StoreError.newerFormat(path: path, version: version) }
      guard version < format else { return }
      try database.inTransaction(.immediate) {
        try database.execute(
          sql: """
            CREATE TABLE objects (
              resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
              revision INTEGER NOT NULL, value BLOB NOT NULL,
              PRIMARY KEY (resource, namespace, name)
            ) WITHOUT ROWID;
            CREATE TABLE newest (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL);
            INSERT INTO newest VALUES (1, 0);
            PRAGMA user_version = \(format);
            """)
        return .commit
      }
    }
  }

  public func revision() async throws(StoreError) -> UInt64 { try await perform(Self.newest) }

  public func append(_ batch: [StoreWrite]) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    try await perform { database in
      try database.inTransaction(.immediate) {
        var newest = try Self.newest(database)
        for write in batch {
          guard write.revision > newest else {
            throw StoreError.revisionNotIncreasing(write.revision, current: newest)
          }
          newest = write.revision
          try Self.carryOut(write, database)
        }
        try Self.setNewest(newest, database)
        return .commit
      }
    }
  }

  private static func carryOut(_ write: StoreWrite, _ database: Database) throws {
    let key = [write.key.resource, write.key.namespace, write.key.name]
    let (sql, arguments): (String, StatementArguments) =
      switch (write.precondition, write.value) {
      case (.absent, let value?):
        (
          """
          INSERT INTO objects (resource, namespace, name, revision, value) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT DO NOTHING
          """, StatementArguments(key) + [Int64(write.revision), Self.blob(value)]
        )
      case (.revision(let old), let value?):
        (
          """
          UPDATE objects SET revision = ?, value = ?
          WHERE resource = ? AND namespace = ? AND name = ? AND revision = ?
          """,
          [Int64(write.revision), Self.blob(value)] + StatementArguments(key) + [Int64(old)]
        )
      case (.revision(let old), nil):
        (
          "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ? AND revision = ?",
          StatementArguments(key) + [Int64(old)]
        )
      case (.absent, nil):
        throw StoreError.preconditionFailed(write.key)
      }
    try database.cachedStatement(sql: sql).execute(arguments: arguments)
    guard database.changesCount == 1 else { throw StoreError.preconditionFailed(write.key) }
  }

  private static func blob(_ bytes: [UInt8]) -> Data { Data(bytes) }

  public func read(resource: String?, after: StoreKey?, limit: Int, at revision: UInt64?) async throws(StoreError)
    -> StorePage
  {
    try await perform { database in
      let newest = try Self.newest(database)
      if let revision, revision != newest { throw StoreError.moved(asked: revision, current: newest) }
      var conditions: [String] = []
      var arguments = StatementArguments()
      if let resource {
        conditions.append("resource = ?")
        arguments += [resource]
      }
      if let after {
        conditions.append("(resource, namespace, name) > (?, ?, ?)")
        arguments += [after.resource, after.namespace, after.name]
      }
      let filter = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
      arguments += [limit + 1]
      let rows = try Row.fetchCursor(
        try database.cachedStatement(
          sql: """
            SELECT resource, namespace, name, revision, value FROM objects \(filter)
            ORDER BY resource, namespace, name LIMIT ?
            """), arguments: arguments)
      var objects: [StoredObject] = []
      var hasMore = false
      while let row = try rows.next() {
        if objects.count == limit {
          hasMore = true
          break
        }
        let value = try row.withUnsafeData(atIndex: 4) { data in data.map { [UInt8]($0) } ?? [] }
        let stored: Int64 = row[3]
        objects.append(
          StoredObject(
            key: StoreKey(resource: row[0], namespace: row[1], name: row[2]), revision: UInt64(stored), value: value))
      }
      return StorePage(revision: newest, objects: objects, hasMore: hasMore)
    }
  }

  /// Moves what can be moved from the log into the file without disturbing the writer, and frees some pages.
  public func maintain() async throws(StoreError) {
    try await perform(on: checkpointer) { database in _ = try database.checkpoint(.passive) }
    try await perform { database in
      // A few pages each time: the writer is held only shortly.
      try Self.vacuum(database, pages: 256)
    }
  }

  public func compact() async throws(StoreError) {
    try await perform { database in
      try Self.vacuum(database, pages: nil)
      _ = try database.checkpoint(.truncate)
    }
  }

  private static func vacuum(_ database: Database, pages: Int?) throws {
    guard try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0 > 0 else { return }
    // Each step of this pragma frees one page, so its rows have to be read to the end.
    let argument = pages.map { "(\($0))" } ?? ""
    let steps = try Row.fetchCursor(database, sql: "PRAGMA incremental_vacuum\(argument)")
    while try steps.next() != nil {}
  }

  public func snapshot(to path: String) async throws(StoreError) {
    try await perform { database in try database.execute(sql: "VACUUM INTO ?", arguments: [path]) }
  }

  /// Closes the file; nothing may be asked of the store afterwards.
  public func close() throws(StoreError) {
    do {
      try checkpointer.close()
      try writer.close()
    } catch {
      throw Self.translate(error, path)
    }
  }

  /// Raises the revision without a write, for copies of a store whose newest write removed something.
  func advance(to revision: UInt64) async throws(StoreError) {
    try await perform { database in
      if try Self.newest(database) < revision { try Self.setNewest(revision, database) }
    }
  }

  /// What SQLite says of one of its settings; tests check that the file is kept as promised.
  func setting(_ name: String) async throws(StoreError) -> String {
    try await perform { database in try String.fetchOne(database, sql: "PRAGMA \(name)") ?? "" }
  }

  private static func newest(_ database: Database) throws -> UInt64 {
    let statement = try database.cachedStatement(sql: "SELECT revision FROM newest")
    return UInt64(try Int64.fetchOne(statement) ?? 0)
  }

  private static func setNewest(_ revision: UInt64, _ database: Database) throws {
    try database.cachedStatement(sql: "UPDATE newest SET revision = ?").execute(arguments: [Int64(revision)])
  }

  /// Runs on the connection's own queue. Unlike GRDB's asynchronous calls this does not give up when the waiting
  /// task is cancelled: a batch of many clients' writes must not fail because one of them went away.
  func perform<T: Sendable>(
    on queue: DatabaseQueue? = nil, _ body: @escaping @Sendable (Database) throws -> T
  ) async throws(StoreError) -> T {
    let path = path
    let result: Result<T, StoreError> = await withCheckedContinuation { continuation in
      (queue ?? writer).asyncWriteWithoutTransaction { database in
        do {
          continuation.resume(returning: .success(try body(database)))
        } catch {
          continuation.resume(returning: .failure(Self.translate(error, path)))
        }
      }
    }
    return try result.get()
  }

  private static func translate(_ error: any Error, _ path: String) -> StoreError {
    if let error = error as? StoreError { return error }
    guard let error = error as? DatabaseError else { return .failed(path: path, detail: "\(error)") }
    switch error.resultCode {
    case .SQLITE_FULL: return .full(path: path)
    case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: return .full(path: path)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .corrupt(path: path, detail: error.message ?? "\(error)")
    default: return .failed(path: path, detail: "\(error)")
    }
  }
}
