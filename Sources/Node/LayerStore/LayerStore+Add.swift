import EROFS
import Glibc
import LinuxSystem
public import OCI

extension LayerStore {
  /// Takes a layer in: from here on it can be mounted, and its bytes are fetched when they are read. Fine if the store has
  /// it.
  /// - Parameter metadata: writes the EROFS image that goes with the device.
  /// - Throws: `.unusable` for content that cannot be filled piece by piece, `.system`, and what `metadata` throws.
  public nonisolated func add(_ layer: LayerDescription, metadata: (inout FileSink) throws -> Void) async throws {
    if await state(of: layer.key) != nil { return }
    try StoredContent.check(layer, configuration)
    let staging = try Staging(layer.key, files)
    do {
      try staging.data.truncate(to: Self.fileBytes(layer.deviceBytes))
      try staging.write(LayerRecord(layer, isComplete: false), layer, metadata)
      configuration.onStep(.staged)
      try await publish(staging, LayerRecord(layer, isComplete: false))
    } catch {
      staging.discard()
      throw error
    }
  }

  /// Receives a layer that comes in one stream: what `ArchiveLayout` keeps of its archive is the data device.
  /// - Parameter blobBytes: compressed size, for the record.
  public nonisolated func receive(_ key: LayerKey, origin: ImageReference, blobBytes: Int64) throws -> LayerReception {
    LayerReception(store: self, key: key, origin: origin, blobBytes: blobBytes, staging: try Staging(key, files))
  }

  /// The data file is a little longer than a device in blocks of 512 bytes: the kernel reads whole pages.
  static func fileBytes(_ deviceBytes: Int64) -> Int64 { (deviceBytes + 4095) / 4096 * 4096 }

  /// Gives a staged layer its name; if somebody was faster, theirs stays.
  func publish(_ staging: Staging, _ record: LayerRecord) async throws {
    let (key, files) = (staging.key, files)
    try await onDisk("the bytes of layer \(key) on the disk") { try staging.sync() }
    guard entries[key] == nil else { return staging.discard() }
    do {
      try await onDisk("the name of layer \(key) on the disk") {
        try DurableFile.rename(staging.directory, to: files.layer(key), replacing: false)
      }
    } catch let error as SystemError where error.errno == EEXIST || error.errno == ENOTEMPTY {
      staging.discard()
      // Whoever was faster is about to say so.
      while entries[key] == nil { try await Task.sleep(for: .milliseconds(5)) }
      return
    }
    entries[key] = Entry(record: record, presentBytes: record.isComplete ? record.deviceBytes : 0)
    configuration.onStep(.added)
  }
}

/// A layer's directory before it has its name.
final class Staging: Sendable {
  let key: LayerKey
  let directory: String
  let data: SharedDescriptor

  init(_ key: LayerKey, _ files: LayerFiles) throws {
    self.key = key
    directory = files.staging(key)
    try Directory.make(directory, permissions: 0o700)
    data = try SharedDescriptor("\(directory)/\(LayerFiles.data)", .createNew)
  }

  func write(_ record: LayerRecord, _ layer: LayerDescription, _ metadata: (inout FileSink) throws -> Void) throws {
    var sink = FileSink(try SharedDescriptor("\(directory)/\(LayerFiles.metadata)", .createNew))
    try metadata(&sink)
    try SharedDescriptor("\(directory)/\(LayerFiles.content)", .createNew).write(
      StoredContent.encoded(layer.content)[...], at: 0)
    if !layer.traits.encodedDirectories.isEmpty {
      try SharedDescriptor("\(directory)/\(LayerFiles.implied)", .createNew).write(
        layer.traits.encodedDirectories[...], at: 0)
    }
    try SharedDescriptor("\(directory)/\(LayerFiles.record)", .createNew).write(record.encoded[...], at: 0)
  }

  /// Everything is on the disk after this.
  func sync() throws {
    for name in try Directory.names(in: directory) { try SharedDescriptor("\(directory)/\(name)", .read).syncData() }
    try Directory.sync(directory)
  }

  // Also when it was dropped without a word; once it has its name, nothing is here.
  deinit { discard() }

  func discard() { try? Directory.removeTree(directory) }
}

/// A layer on its way in, in one stream.
public struct LayerReception: Sendable {
  let store: LayerStore
  let key: LayerKey
  let origin: ImageReference
  let blobBytes: Int64
  let staging: Staging

  /// Takes bytes of the data device.
  public func write(_ bytes: ArraySlice<UInt8>, at offset: Int64) throws {
    try staging.data.write(bytes, at: offset)
  }

  /// Makes the layer part of the store, complete. The caller has compared digests of blob and archive, and written
  /// everything.
  /// - Parameters:
  ///   - index: of the archive.
  ///   - layout: where its contents were written.
  ///   - metadata: writes the EROFS image.
  ///   - traits: of its files.
  public consuming func finish(
    _ index: SeekIndex, _ layout: ArchiveLayout, inodes: Int, traits: LayerTraits = LayerTraits(),
    metadata: (inout FileSink) throws -> Void
  ) async throws {
    do {
      let device = layout.deviceBytes(archive: index.archiveBytes)
      try staging.data.truncate(to: LayerStore.fileBytes(device))
      let layer = LayerDescription(
        key: key, origin: origin, content: .spans(index, layout), deviceBytes: device, inodes: inodes,
        blobBytes: blobBytes,
        traits: traits)
      try StoredContent.check(layer, store.configuration)
      let record = LayerRecord(layer, isComplete: true)
      try staging.write(record, layer, metadata)
      try await store.publish(staging, record)
    } catch {
      staging.discard()
      throw error
    }
  }

  /// Gives up; nothing stays.
  public consuming func abort() { staging.discard() }
}
