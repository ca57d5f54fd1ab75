import GRDB
import LayerStore
import LinuxSystem
import OCI

/// What is known of snapshots, in one SQLite file (WAL, `synchronous=FULL`: what was answered survives a power cut).
///
/// Calls wait for the disk; make them through `BlockingWork`.
struct SnapshotRecords: Sendable {
  /// A snapshot with what clients do not see.
  struct Record: Sendable, Hashable {
    /// Number of its directory; never used twice.
    var id: Int64
    var info: SnapshotInfo
    /// The lazily loaded layer that it is.
    var layer: LayerKey?
    /// Space, once it was counted; only of committed snapshots.
    var usage: LayerUsage?
    /// Number of its parent.
    var parent: Int64?
    var standing = LayerStanding.unproven
    /// Why the layer is refused.
    var refusal: String?
  }

  /// A snapshot below another.
  struct Lower: Sendable, Hashable {
    var id: Int64
    var layer: LayerKey?
    var standing = LayerStanding.unproven
    /// Why the layer is refused.
    var refusal: String?
  }

  private let database: DatabasePool
  /// Removal of snapshots frees a full disk, but has to be recorded first.
  private let reserve: SpaceReserve
  private static let format = 2
  /// Pages that a removal writes, with room for many of them before the log is written back.
  private static let reserveBytes: Int64 = 1 << 20
  private static let logPages = 128

  /// Opens the file or makes it; its directory exists.
  init(path: String) throws {
    var configuration = Configuration()
    configuration.label = "nagaya.snapshots"
    configuration.busyMode = .timeout(5)
    configuration.maximumReaderCount = 4
    configuration.prepareDatabase {
      // Written back long before the log is longer than what is kept for it.
      try $0.execute(
        sql: "PRAGMA synchronous = FULL; PRAGMA cache_size = -512; PRAGMA wal_autocheckpoint = \(Self.logPages)")
    }
    reserve = SpaceReserve("\(path).reserve", bytes: Self.reserveBytes)
    database = try reserve.lend(Self.isFull) { try Self.open(path, configuration) }
    Self.keepLog(of: path)
    reserve.refill()
  }

  /// Gives the database's log (`-wal`) its blocks, which it keeps: it is written over from its beginning after each
  /// checkpoint, so removals need no block of a full disk, whoever else waits for one. (What is given back for them others may
  /// take first.) Where there is no room, removals are lent the reserve.
  private static func keepLog(of path: String) {
    do { try OpenFile("\(path)-wal", .readWrite).allocate(bytes: reserveBytes) } catch {}
  }

  private static func open(_ path: String, _ configuration: Configuration) throws -> DatabasePool {
    let database = try DatabasePool(path: path, configuration: configuration)
    try database.write { database in
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      guard version <= Self.format else { throw SnapshotError.newerRecords(path, version: version) }
      if version < 1 { try Self.make(database) }
      if version < 2 { try Self.addStandings(database) }
      try database.execute(sql: "PRAGMA user_version = \(Self.format)")
    }
    return database
  }

  private static func make(_ database: Database) throws {
    try database.execute(
      sql: """
        CREATE TABLE snapshots (
          id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, parent INTEGER REFERENCES snapshots (id),
          kind INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
          layer TEXT, target TEXT, bytes INTEGER, inodes INTEGER
        );
        CREATE INDEX snapshots_by_parent ON snapshots (parent);
        CREATE INDEX snapshots_by_layer ON snapshots (layer) WHERE layer IS NOT NULL;
        CREATE INDEX snapshots_by_target ON snapshots (target) WHERE target IS NOT NULL;
        CREATE TABLE labels (
          snapshot INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE, key TEXT NOT NULL,
          value TEXT NOT NULL, PRIMARY KEY (snapshot, key)
        ) WITHOUT ROWID;
        CREATE TABLE newest (only INTEGER PRIMARY KEY CHECK (only = 1), id INTEGER NOT NULL);
        INSERT INTO newest VALUES (1, 0);
        CREATE TABLE unused_layers (layer TEXT PRIMARY KEY) WITHOUT ROWID;
        """)
  }

  /// The chain ID that a layer was made for (`target` is what it is found by), and whether it is what that names.
  private static func addStandings(_ database: Database) throws {
    try database.execute(
      sql: """
        ALTER TABLE snapshots ADD COLUMN chain TEXT;
        ALTER TABLE snapshots ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE snapshots ADD COLUMN refusal TEXT;
        UPDATE snapshots SET chain = target WHERE layer IS NOT NULL;
        CREATE INDEX snapshots_by_chain ON snapshots (chain) WHERE chain IS NOT NULL;
        """)
  }

  /// Whether a call failed for want of space. (Files that SQLite makes at its start fail in other ways.)
  static func isFull(_ error: any Error) -> Bool {
    guard let code = (error as? DatabaseError)?.resultCode else { return false }
    return [.SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN].contains(code)
  }

  /// Takes back what a removal on a full disk was lent; to be called when something has been freed.
  func refillReserve() { reserve.refill() }

  func close() throws { try database.close() }

  // MARK: Reading

  func find(_ name: String) throws -> Record? { try database.read { try Self.record(name, $0) } }

  /// The number after the last that was used.
  func nextID() throws -> Int64 {
    try database.read { try (Int64.fetchOne($0, sql: "SELECT id FROM newest") ?? 0) + 1 }
  }

  /// A parent and everything below it, topmost first.
  func chain(_ parent: String) throws -> [Lower] {
    try database.read { database in
      guard let record = try Self.record(parent, database) else { throw SnapshotError.parentNotFound(parent) }
      guard record.info.kind == .committed else { throw SnapshotError.parentNotCommitted(parent) }
      return try Self.chain(from: record.id, database)
    }
  }

  /// A snapshot and what is below it, topmost first.
  func snapshotWithChain(_ name: String) throws -> (Record, [Lower]) {
    try database.read { database in
      guard let record = try Self.record(name, database) else { throw SnapshotError.notFound(name) }
      return (record, try record.parent.map { try Self.chain(from: $0, database) } ?? [])
    }
  }

  /// Every snapshot, in the order of making.
  func all() throws -> [Record] {
    try database.read { database in
      var labels: [Int64: [String: String]] = [:]
      for row in try Row.fetchAll(database, sql: "SELECT snapshot, key, value FROM labels") {
        labels[row[0], default: [:]][row[1]] = row[2]
      }
      let rows = try Row.fetchAll(database, sql: Self.columns + " ORDER BY s.id")
      return try rows.map { try Self.record($0, labels: labels[$0[0]] ?? [:]) }
    }
  }

  func ids() throws -> Set<Int64> {
    try database.read { try Set(Int64.fetchAll($0, sql: "SELECT id FROM snapshots")) }
  }

  /// The lazily loaded snapshot of a chain ID on a parent, if there is one.
  func layerSnapshot(target: String, parent: String) throws -> Lower? {
    try database.read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT s.id, s.layer, s.standing, s.refusal FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent
          WHERE s.target = ? AND s.layer IS NOT NULL AND coalesce(p.name, '') = ?
          """, arguments: [target, parent]
      ).map(Self.lower)
    }
  }

  /// Layers that some snapshot is, each with one of those snapshots' numbers.
  func layers() throws -> [Lower] {
    try database.read { database in
      try Row.fetchAll(database, sql: "SELECT id, layer FROM snapshots WHERE layer IS NOT NULL").map {
        Lower(id: $0[0], layer: try Self.key($0[1]))
      }
    }
  }

  /// What is known of a snapshot by its number.
  func find(id: Int64) throws -> Record? {
    try database.read { database in
      try String.fetchOne(database, sql: "SELECT name FROM snapshots WHERE id = ?", arguments: [id])
        .flatMap { try Self.record($0, database) }
    }
  }

  /// A snapshot that was made of a lazily loaded layer, and what it stands for.
  struct Claim: Sendable, Hashable {
    var id: Int64
    var layer: LayerKey
    var standing: LayerStanding
    var chain: String
    /// Of the snapshot below it; empty: there is none, `nil`: nobody knows.
    var parentChain: String?
    /// The image by which it came.
    var image: String
  }

  /// What was made of a layer.
  func claims(of layer: LayerKey) throws -> [Claim] { try claims("s.layer = ?", layer.blob.description) }
  /// What was made for a chain ID.
  func claims(on chain: Digest) throws -> [Claim] { try claims("s.chain = ?", chain.description) }
  func claim(of id: Int64) throws -> Claim? { try claims("s.id = ?", id).first }
  /// Whatever is not decided.
  func openClaims() throws -> [Claim] {
    try claims("s.standing IN (0, ?)", LayerStanding.contested.rawValue)
  }

  private func claims(_ condition: String, _ argument: some DatabaseValueConvertible) throws -> [Claim] {
    try database.read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT s.id, s.layer, s.standing, s.chain, s.parent, p.chain, p.target, p.name, coalesce(l.value, '')
          FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent
          LEFT JOIN labels l ON l.snapshot = s.id AND l.key = 'containerd.io/snapshot/cri.image-ref'
          WHERE s.layer IS NOT NULL AND s.chain IS NOT NULL AND \(condition)
          """, arguments: [argument]
      ).compactMap { row in
        guard let layer = try Self.key(row[1]), let standing = LayerStanding(rawValue: row[2]) else { return nil }
        var parentChain: String? = ""
        if row[4] as Int64? != nil {
          // What containerd unpacked has its chain ID as label, or at the end of its name.
          let name: String? = row[7]
          parentChain = row[5] ?? row[6] ?? name?.split(separator: "/").last.map(String.init)
        }
        return Claim(
          id: row[0], layer: layer, standing: standing, chain: row[3], parentChain: parentChain, image: row[8])
      }
    }
  }

  /// Keys of writable snapshots and views that have a snapshot below them.
  func users(of id: Int64) throws -> [String] {
    try database.read { database in
      try String.fetchAll(
        database,
        sql: """
          WITH RECURSIVE above (id) AS (
            VALUES (?) UNION SELECT s.id FROM snapshots s JOIN above a ON s.parent = a.id
          ) SELECT s.name FROM snapshots s JOIN above a ON s.id = a.id WHERE s.kind != ? ORDER BY s.id
          """, arguments: [id, SnapshotKind.committed.rawValue])
    }
  }

  /// Snapshots on a layer that may be mounted and were made before a moment, in nanoseconds since 1970.
  func users(of layer: LayerKey, before moment: Int64) throws -> [String] {
    try database.read { database in
      try String.fetchAll(
        database,
        sql: """
          WITH RECURSIVE above (id) AS (
            SELECT id FROM snapshots WHERE layer = ?
            UNION SELECT s.id FROM snapshots s JOIN above a ON s.parent = a.id
          ) SELECT s.name FROM snapshots s JOIN above a ON s.id = a.id
          WHERE s.kind != ? AND s.created < ? ORDER BY s.id
          """,
        arguments: [layer.blob.description, SnapshotKind.committed.rawValue, moment])
    }
  }

  /// Layers below snapshots that may be mounted.
  func layersInUse() throws -> [Lower] {
    try database.read { database in
      try Row.fetchAll(
        database,
        sql: """
          WITH RECURSIVE below (id) AS (
            SELECT parent FROM snapshots WHERE kind != ? AND parent IS NOT NULL
            UNION SELECT s.parent FROM snapshots s JOIN below b ON s.id = b.id WHERE s.parent IS NOT NULL
          ) SELECT s.id, s.layer FROM snapshots s JOIN below b ON s.id = b.id WHERE s.layer IS NOT NULL
          """, arguments: [SnapshotKind.committed.rawValue]
      ).map { Lower(id: $0[0], layer: try Self.key($0[1])) }
    }
  }

  func unusedLayers() throws -> [LayerKey] {
    try database.read { database in
      try String.fetchAll(database, sql: "SELECT layer FROM unused_layers").compactMap { try Self.key($0) }
    }
  }

  // MARK: Writing

  /// - Parameter below: number of the parent as it was seen before; another one under its name is not taken for it.
  func insert(
    _ id: Int64, _ info: SnapshotInfo, below: Int64?, layer: LayerKey? = nil, standing: LayerStanding = .unproven
  ) throws {
    try database.write { database in
      var parent: Int64?
      if !info.parent.isEmpty {
        guard let record = try Self.record(info.parent, database), below == nil || record.id == below else {
          throw SnapshotError.parentNotFound(info.parent)
        }
        guard record.info.kind == .committed else { throw SnapshotError.parentNotCommitted(info.parent) }
        parent = record.id
      }
      guard try !Self.exists(info.name, database) else { throw SnapshotError.alreadyExists(info.name) }
      try database.execute(
        sql: """
          INSERT INTO snapshots (id, name, parent, kind, created, updated, layer, target, chain, standing)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          id, info.name, parent, info.kind.rawValue, info.created.nanoseconds, info.updated.nanoseconds,
          layer?.blob.description, info.labels[SnapshotLabel.target],
          layer.flatMap { _ in info.labels[SnapshotLabel.target] }, standing.rawValue,
        ])
      try database.execute(sql: "UPDATE newest SET id = max(id, ?)", arguments: [id])
      if let layer {
        try database.execute(sql: "DELETE FROM unused_layers WHERE layer = ?", arguments: [layer.blob.description])
      }
      try Self.set(info.labels, of: id, database)
    }
  }

  /// Turns an active snapshot into a committed one, with new labels.
  func commit(_ key: String, as name: String, labels: [String: String], parent: String, at time: Moment) throws {
    try database.write { database in
      guard let record = try Self.record(key, database) else { throw SnapshotError.notFound(key) }
      guard record.info.kind == .active else { throw SnapshotError.notActive(key) }
      guard try !Self.exists(name, database) else { throw SnapshotError.alreadyExists(name) }
      guard parent.isEmpty || parent == record.info.parent else {
        throw SnapshotError.invalid(
          "snapshot \"\(key)\" can't get another parent when it is committed: this snapshotter has no capability "
            + "\"rebase\"; take it out of containerd's configuration")
      }
      try database.execute(
        sql: "UPDATE snapshots SET name = ?, kind = ?, created = ?, updated = ?, target = ? WHERE id = ?",
        arguments: [
          name, SnapshotKind.committed.rawValue, time.nanoseconds, time.nanoseconds, labels[SnapshotLabel.target],
          record.id,
        ])
      try Self.set(labels, of: record.id, database)
    }
  }

  /// Changes labels.
  /// - Parameter fields: `labels`, `labels.KEY`; empty: all labels.
  func update(_ name: String, labels: [String: String], fields: [String], at time: Moment) throws -> SnapshotInfo {
    try database.write { database in
      guard var record = try Self.record(name, database) else { throw SnapshotError.notFound(name) }
      if fields.isEmpty { record.info.labels = labels }
      for field in fields {
        if field == "labels" {
          record.info.labels = labels
        } else if field.hasPrefix("labels."), field.utf8.count > 7 {
          let key = String(field.dropFirst(7))
          record.info.labels[key] = labels[key]
        } else {
          let start = String(decoding: field.utf8.prefix(64), as: UTF8.self)
          throw SnapshotError.invalid("field \"\(start)\" of a snapshot can't be changed; only labels can")
        }
      }
      record.info.updated = time
      try database.execute(
        sql: "UPDATE snapshots SET updated = ?, target = ? WHERE id = ?",
        arguments: [time.nanoseconds, record.info.labels[SnapshotLabel.target], record.id])
      try Self.set(record.info.labels, of: record.id, database)
      return record.info
    }
  }

  /// Removes a snapshot without children.
  /// - Returns: its record. If it was the last of its layer, that is among the unused ones now.
  func remove(_ name: String) throws -> Record {
    try freeing { database in
      guard let record = try Self.record(name, database) else { throw SnapshotError.notFound(name) }
      let children = try Bool.fetchOne(
        database, sql: "SELECT EXISTS (SELECT 1 FROM snapshots WHERE parent = ?)", arguments: [record.id])
      guard children == false else { throw SnapshotError.hasChildren(name) }
      try database.execute(sql: "DELETE FROM snapshots WHERE id = ?", arguments: [record.id])
      if let layer = record.layer {
        try database.execute(
          sql: """
            INSERT OR IGNORE INTO unused_layers
            SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE layer = ?1)
            """, arguments: [layer.blob.description])
      }
      return record
    }
  }

  /// A change that lets space be freed: it must succeed on a full disk.
  private func freeing<Result>(_ body: (Database) throws -> Result) throws -> Result {
    try reserve.lend(Self.isFull) { try database.write(body) }
  }

  /// The layer was released.
  func forget(unused layer: LayerKey) throws {
    try freeing {
      try $0.execute(sql: "DELETE FROM unused_layers WHERE layer = ?", arguments: [layer.blob.description])
    }
  }

  func isUnused(_ layer: LayerKey) throws -> Bool {
    try database.read {
      try Bool.fetchOne(
        $0, sql: "SELECT EXISTS (SELECT 1 FROM unused_layers WHERE layer = ?)", arguments: [layer.blob.description])
        ?? false
    }
  }

  /// Changes what is thought of a layer for its chain ID.
  /// - Parameter refusal: why it is refused. It is not found by its chain ID then.
  func set(_ standing: LayerStanding, of id: Int64, refusal: String? = nil) throws {
    try database.write { database in
      try database.execute(
        sql: "UPDATE snapshots SET standing = ?, refusal = ? WHERE id = ?",
        arguments: [standing.rawValue, refusal, id])
      guard standing == .refused else { return }
      try database.execute(sql: "UPDATE snapshots SET target = NULL WHERE id = ?", arguments: [id])
      try database.execute(
        sql: "DELETE FROM labels WHERE snapshot = ? AND key = ?", arguments: [id, SnapshotLabel.target])
    }
  }

  /// Keeps the counted space of a committed snapshot.
  func set(_ usage: LayerUsage, of id: Int64) throws {
    try database.write {
      try $0.execute(
        sql: "UPDATE snapshots SET bytes = ?, inodes = ? WHERE id = ? AND kind = ?",
        arguments: [usage.bytes, usage.inodes, id, SnapshotKind.committed.rawValue])
    }
  }

  // MARK: Steps

  private static let columns = """
    SELECT s.id, s.name, coalesce(p.name, ''), s.kind, s.created, s.updated, s.layer, s.bytes, s.inodes, s.parent,
      s.standing, s.refusal
    FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent
    """

  private static func record(_ name: String, _ database: Database) throws -> Record? {
    guard let row = try Row.fetchOne(database, sql: columns + " WHERE s.name = ?", arguments: [name]) else {
      return nil
    }
    var labels: [String: String] = [:]
    let id: Int64 = row[0]
    for row in try Row.fetchAll(database, sql: "SELECT key, value FROM labels WHERE snapshot = ?", arguments: [id]) {
      labels[row[0]] = row[1]
    }
    return try record(row, labels: labels)
  }

  private static func record(_ row: Row, labels: [String: String]) throws -> Record {
    let kind: Int = row[3]
    guard let kind = SnapshotKind(rawValue: kind) else {
      throw SnapshotError.invalid("a record of snapshots is damaged: kind \(kind)")
    }
    let bytes: Int64? = row[7]
    let inodes: Int? = row[8]
    var usage: LayerUsage?
    if let bytes, let inodes { usage = LayerUsage(bytes: bytes, inodes: inodes) }
    return Record(
      id: row[0],
      info: SnapshotInfo(
        name: row[1], parent: row[2], kind: kind, created: Moment(nanoseconds: row[4]),
        updated: Moment(nanoseconds: row[5]), labels: labels), layer: try key(row[6]), usage: usage, parent: row[9],
      standing: LayerStanding(rawValue: row[10]) ?? .unproven, refusal: row[11])
  }

  private static func lower(_ row: Row) throws -> Lower {
    Lower(
      id: row[0], layer: try key(row[1]), standing: LayerStanding(rawValue: row[2]) ?? .unproven, refusal: row[3])
  }

  private static func key(_ text: String?) throws -> LayerKey? {
    guard let text else { return nil }
    guard let digest = Digest(text) else {
      throw SnapshotError.invalid("a record of snapshots is damaged: layer \(text)")
    }
    return LayerKey(digest)
  }

  private static func exists(_ name: String, _ database: Database) throws -> Bool {
    try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM snapshots WHERE name = ?)", arguments: [name])
      ?? false
  }

  private static func chain(from id: Int64, _ database: Database) throws -> [Lower] {
    try Row.fetchAll(
      database,
      sql: """
        WITH RECURSIVE below (id, parent, layer, standing, refusal, depth) AS (
          SELECT id, parent, layer, standing, refusal, 0 FROM snapshots WHERE id = ?
          UNION ALL SELECT s.id, s.parent, s.layer, s.standing, s.refusal, depth + 1
          FROM snapshots s JOIN below b ON s.id = b.parent
        ) SELECT id, layer, standing, refusal FROM below ORDER BY depth
        """, arguments: [id]
    ).map(lower)
  }

  private static func set(_ labels: [String: String], of id: Int64, _ database: Database) throws {
    try database.execute(sql: "DELETE FROM labels WHERE snapshot = ?", arguments: [id])
    let statement = try database.cachedStatement(sql: "INSERT INTO labels VALUES (?, ?, ?)")
    for (key, value) in labels { try statement.execute(arguments: [id, key, value]) }
  }
}
