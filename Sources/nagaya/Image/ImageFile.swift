import Glibc
import JSONDocument
import OCI

/// Image archives as files of this machine.
enum ImageFile {
  /// An image for one platform.
  struct Manifest {
    /// As the archive says it.
    let name: String?
    let descriptor: Descriptor
    let manifest: ImageManifest
  }

  /// Opens an archive after the whole of it was checked.
  static func open(_ path: String) throws -> ImageArchive<RandomAccessFile> {
    do {
      _ = try ImageArchiveReader.check(OpenFile(path, O_RDONLY))
      let file = try RandomAccessFile(path)
      guard LayerCompression(firstBytes: try file.read(0..<min(4, file.size))) == .none else {
        throw CommandFailure("\(path) is compressed", remedy: "uncompress it first, with gunzip for instance")
      }
      return try ImageArchive(file)
    } catch let error as FileError {
      throw CommandFailure("\(error)", remedy: "give the path of an OCI archive")
    } catch let error as CommandFailure {
      throw error
    } catch {
      throw CommandFailure(
        "\(path) is no image archive: \(error)", remedy: "pack it anew, with nagaya image pack for instance")
    }
  }

  /// All images, also those of platforms within an index.
  static func manifests(of archive: ImageArchive<RandomAccessFile>) throws -> [Manifest] {
    var found: [Manifest] = []
    func visit(_ descriptor: Descriptor, name: String?, depth: Int) throws {
      // An index may name platforms that the archive does not hold.
      guard depth < 4, archive.range(of: descriptor) != nil else { return }
      let json = try archive.document(descriptor)
      if MediaType.isIndex(descriptor.mediaType), let index = ImageIndex(json: json) {
        for child in index.manifests { try visit(child, name: name, depth: depth + 1) }
      } else if let manifest = ImageManifest(json: json) {
        found.append(Manifest(name: name, descriptor: descriptor, manifest: manifest))
      }
    }
    for descriptor in archive.index.manifests {
      let annotations = descriptor.annotations
      try visit(
        descriptor, name: annotations[ImageAnnotation.containerdName] ?? annotations[ImageAnnotation.referenceName],
        depth: 0)
    }
    return found
  }
}
