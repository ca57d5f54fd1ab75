import EStargz
import Foundation
import JSONDocument
import OCI

/// A layer made by another program; see Tests/Fixtures/layers.
struct Fixture {
  let descriptor: Descriptor
  let blob: [UInt8]

  init(_ name: String) throws {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<2 { url.deleteLastPathComponent() }
    let directory = url.appendingPathComponent("Fixtures/layers")
    let json = try JSONValue(parsing: Array(Data(contentsOf: directory.appendingPathComponent("\(name).json"))))
    guard let descriptor = Descriptor(json: json) else { throw CocoaError(.fileReadCorruptFile) }
    self.descriptor = descriptor
    blob = Array(try Data(contentsOf: directory.appendingPathComponent("\(name).layer")))
  }

  /// As a node does it: from the descriptor, else from the footer.
  func location() throws -> TOCLocation {
    if let location = TOCLocation(descriptor) { return location }
    return try TOCLocation(footer: Array(blob.suffix(Int(TOCLocation.footerBytes))), of: descriptor)
  }

  func lazyLayer(external: Fixture? = nil) throws -> LazyLayer {
    let location = try location()
    let toc = location.range.map { Array(blob[Int($0.lowerBound)..<Int($0.upperBound)]) } ?? external?.blob ?? []
    return try LazyLayer(toc: toc, at: location, contentEnd: descriptor.size)
  }
}

/// The data device with all chunks in their places, each decoded from no more than its own range of the blob.
func device(of layer: LazyLayer, from blob: [UInt8]) throws -> [UInt8] {
  var device = [UInt8](repeating: 0, count: Int(layer.deviceBytes))
  let decoder = ChunkDecoder(layer.format)
  for chunk in layer.chunks.chunks where !chunk.isZeros {
    let range = Int(chunk.blobRange.lowerBound)..<Int(chunk.blobRange.upperBound)
    try decoder.decode([chunk], from: blob[range]) { chunk, content in
      device.replaceSubrange(Int(chunk.deviceOffset)..<Int(chunk.deviceOffset + chunk.length), with: content)
    }
  }
  return device
}

/// Every file of a tree with its attributes and content, as text.
func description(of tree: LayerTree, device: [UInt8], withFractions: Bool = true) -> [String: String] {
  var lines: [String: String] = [:]
  tree.forEachName { path, number in
    let node = tree.nodes[number]
    var text: String
    switch node.content {
    case .file(let size, let extents):
      let content = extents.flatMap { device[Int($0.deviceOffset)..<Int($0.deviceOffset + $0.length)] }
      text = "file \(size) \(Digest(of: content))"
    case .directory(let children): text = "directory \(children.count)"
    default: text = "\(node.content)"
    }
    let attributes = node.attributes
    text +=
      " \(String(attributes.mode, radix: 8)) \(attributes.uid):\(attributes.gid) \(attributes.modificationTime.seconds)"
    if withFractions { text += ".\(attributes.modificationTime.nanoseconds)" }
    let xattrs = attributes.extendedAttributes.sorted { $0.key < $1.key }
    text += " \(xattrs) \(node.linkCount) \(node.isOpaque)"
    lines[String(decoding: path, as: UTF8.self)] = text
  }
  return lines
}

/// The tree of an uncompressed tar archive, which is its own data device.
func tarLayer(_ tar: [UInt8]) throws -> LayerTree {
  var reader = TarLayerReader()
  try reader.consume(tar[...])
  return try reader.finish()
}

func gunzip(_ bytes: [UInt8]) throws -> [UInt8] {
  var source = try GunzipSource(MemorySource(bytes))
  var all: [UInt8] = []
  while case let piece = try source.read(upTo: 1 << 20), !piece.isEmpty { all += piece }
  return all
}
