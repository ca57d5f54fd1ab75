import APIServer
import ArgumentParser
import Foundation
import Logging
import ObjectStore

struct Store: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look after stored objects that cannot be read.",
    discussion: """
      What cannot be read at a start is set apart: the rest runs, and its bytes stay until they are repaired.

      EXAMPLES
        nagaya store list-damaged
        nagaya store export configmaps demo-dev settings > settings.json
        nagaya down && nagaya store restore configmaps demo-dev settings --file settings.json && nagaya up --detach
      """, subcommands: [StoreListDamaged.self, StoreExport.self, StoreRestore.self, StoreRotateKey.self])
}

/// Which stored object is meant.
struct StoredKey: ParsableArguments {
  @Argument(help: "Kind, as list-damaged says it: configmaps, deployments.apps.") var resource: String
  @Argument(help: "Namespace; \"\" for objects of the cluster.") var namespace: String
  @Argument(help: "Name.") var name: String

  var key: StoreKey { StoreKey(resource: resource, namespace: namespace, name: name) }
}

struct StoreListDamaged: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list-damaged", abstract: "List stored objects that cannot be read, and why.",
    discussion: "Exits with 1 if there are any.")

  @OptionGroup var directories: DirectoryOptions

  func run() async throws {
    let store = try StoreFile.sealed(directories.layout)
    let damaged = try await StoreFile.damaged(in: store)
    if damaged.isEmpty { return Console.print("every stored object can be read") }
    for object in damaged {
      Console.print("\(object.key)  revision \(object.revision), \(object.bytes) bytes: \(object.reason)")
    }
    throw ExitCode(1)
  }
}

struct StoreExport: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write the bytes of a stored object as they are.")

  @OptionGroup var directories: DirectoryOptions
  @OptionGroup var place: StoredKey

  func run() async throws {
    let store = try SQLiteObjectStore(path: try StoreFile.existing(directories.layout))
    let objects = try await store.salvage(resource: place.resource).objects
    guard let object = objects.first(where: { $0.key == place.key }) else {
      throw CommandFailure("\(place.key) is not stored", remedy: "see `nagaya store list-damaged`")
    }
    FileHandle.standardOutput.write(Data(object.value))
  }
}

struct StoreRestore: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Put repaired bytes in the place of a stored object's.",
    discussion: "Nagaya must be stopped. The object keeps its revision; its uid is what the file says.")

  @OptionGroup var directories: DirectoryOptions
  @OptionGroup var place: StoredKey
  @Option(help: "The repaired object, as JSON.", completion: .file()) var file: String

  func run() async throws {
    guard try InstanceLock.holder(directories.layout) == nil else {
      throw CommandFailure("Nagaya runs", remedy: "stop it first: nagaya down")
    }
    guard let data = FileManager.default.contents(atPath: file), data.count <= 3 << 20 else {
      throw CommandFailure("\(file) cannot be read, or is larger than 3 MB", remedy: "name the repaired object's file")
    }
    let repaired = StoredObject(key: place.key, revision: 0, value: Array(data))
    if case .failure(let damage) = ObjectsSetApart.understand(repaired) {
      throw CommandFailure("\(file) is not \(place.key): \(damage.reason)", remedy: "repair it first")
    }
    let store = try SQLiteObjectStore(path: try StoreFile.existing(directories.layout))
    guard try await store.repair(place.key, value: Array(data)) else {
      throw CommandFailure("\(place.key) is not stored", remedy: "create it with kubectl once Nagaya runs")
    }
    Console.print("\(place.key) restored")
  }
}

struct StoreRotateKey: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate-key", abstract: "Encrypt all secrets with a new key, and drop the old ones.",
    discussion: "Nagaya must be stopped. A rotation that is cut short is made good by the next one.")

  @OptionGroup var directories: DirectoryOptions

  func run() async throws {
    let layout = directories.layout
    guard try InstanceLock.holder(layout) == nil else {
      throw CommandFailure("Nagaya runs", remedy: "stop it first: nagaya down")
    }
    let base = try SQLiteObjectStore(path: try StoreFile.existing(layout))
    // The new key is on the disk before anything is sealed with it, the old ones until nothing is.
    let keys = try EncryptionKeys.loadOrCreate(path: layout.encryptionKeys).withNewFirst()
    try keys.write(to: layout.encryptionKeys)
    let store = EncryptingObjectStore(base, keys: keys)
    let count = try await store.rewrite { done, all in
      if done % 1000 == 0 || done == all { Console.note("encrypted \(done) of \(all)") }
    }
    let used = try await store.oldKeysInUse()
    try keys.keeping(used).write(to: layout.encryptionKeys)
    Console.print("\(count) secrets encrypted with the new key \"\(keys.first.name)\"")
    for name in used.sorted() { Console.note("the key \"\(name)\" stays: something sealed with it cannot be opened") }
  }
}

/// The file of stored objects, seen from outside of the server.
enum StoreFile {
  static func existing(_ layout: Layout) throws -> String {
    guard FileManager.default.fileExists(atPath: layout.objects) else {
      throw CommandFailure("\(layout.objects) is not there", remedy: "--state-dir says where the platform's state is")
    }
    return layout.objects
  }

  /// The store as the server uses it: secrets are sealed, those of before, too.
  static func open(_ layout: Layout, logger: Logger) async throws -> EncryptingObjectStore {
    let base = try SQLiteObjectStore(path: layout.objects)
    let store = EncryptingObjectStore(base, keys: try keys(layout))
    let count = try await store.rewrite()
    if count > 0 { logger.notice("stored secrets were encrypted", metadata: ["count": "\(count)"]) }
    return store
  }

  static func sealed(_ layout: Layout) throws -> EncryptingObjectStore {
    EncryptingObjectStore(try SQLiteObjectStore(path: try existing(layout)), keys: try keys(layout))
  }

  private static func keys(_ layout: Layout) throws -> EncryptionKeys {
    let directory = URL(fileURLWithPath: layout.encryptionKeys).deletingLastPathComponent().path
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return try EncryptionKeys.loadOrCreate(path: layout.encryptionKeys)
  }

  /// What the next start would set apart.
  static func damaged(in store: any ObjectStoring) async throws -> [ObjectSetApart] {
    var damaged: [ObjectSetApart] = []
    for resource in ResourceRegistry.standard.definitions.map(\.resource.qualifiedPlural) {
      let salvage = try await store.salvage(resource: resource)
      for object in salvage.objects {
        if case .failure(let damage) = ObjectsSetApart.understand(object) { damaged.append(damage) }
      }
      if let damage = salvage.damage {
        damaged.append(
          ObjectSetApart(key: StoreKey(resource: resource, name: ""), damage: "a page is damaged: \(damage)"))
      }
    }
    return damaged
  }
}
