import Foundation
import GRDB

extension SQLiteObjectStore {
  /// What can still be read of a kind when a page of the file is damaged.
  ///
  /// A walk ends where the damage begins, so it is walked from both ends, by namespaces found on the way in between: a damaged
  /// page costs the objects on it. What lies on a page of the tree's inside costs what is below it.
  public func salvage(resource: String) async throws(StoreError) -> StoreSalvage {
    try await perform { database in
      var found: [StoreKey: StoredObject] = [:]
      var detail: String?
      func walk(_ condition: String, _ arguments: StatementArguments, descending: Bool) throws {
        let order = descending ? "DESC" : "ASC"
        do {
          let rows = try Row.fetchCursor(
            database,
            sql: """
              SELECT resource, namespace, name, revision, value FROM objects WHERE resource = ? \(condition)
              ORDER BY resource \(order), namespace \(order), name \(order)
              """, arguments: [resource] + arguments)
          while let row = try rows.next() {
            let key = StoreKey(resource: row[0], namespace: row[1], name: row[2])
            let value = try row.withUnsafeData(atIndex: 4) { data in data.map { [UInt8]($0) } ?? [] }
            let stored: Int64 = row[3]
            found[key] = StoredObject(key: key, revision: UInt64(clamping: stored), value: value)
          }
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
          detail = error.message ?? "\(error)"
        }
      }
      try walk("", [], descending: false)
      if detail != nil {
        try walk("", [], descending: true)
        // What lies between two damaged places: the namespaces that other kinds know.
        let namespaces =
          (try? String.fetchAll(database, sql: "SELECT name FROM objects WHERE resource = 'namespaces'")) ?? []
        for namespace in namespaces {
          for descending in [false, true] { try walk("AND namespace = ?", [namespace], descending: descending) }
        }
      }
      return StoreSalvage(objects: found.values.sorted { $0.key < $1.key }, damage: detail)
    }
  }

  /// Rewrites the file without its free pages and empties the log, so that nothing that was overwritten is left in them.
  func eraseFreeSpace() async throws(StoreError) {
    try await perform { database in
      try database.execute(sql: "VACUUM")
      _ = try database.checkpoint(.truncate)
    }
  }

  /// Puts repaired bytes in the place of an object's, under the revision that it has.
  /// - Returns: whether there is such an object.
  public func repair(_ key: StoreKey, value: [UInt8]) async throws(StoreError) -> Bool {
    try await perform { database in
      try database.execute(
        sql: "UPDATE objects SET value = ? WHERE resource = ? AND namespace = ? AND name = ?",
        arguments: [Data(value), key.resource, key.namespace, key.name])
      return database.changesCount == 1
    }
  }
}
