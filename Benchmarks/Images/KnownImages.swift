import Foundation
import OCI

/// What our daemon finds on its disk when many images were pulled before.
enum KnownImages {
  private static let layersPerImage = 7

  /// Writes the records of images whose layers are all complete, none of them shared; of the layers themselves there are
  /// only the records.
  /// - Parameter root: the daemon's `--root`, before it starts.
  static func write(_ count: Int, to root: String) throws {
    var images: [[String: Any]] = []
    var decisions: [[String: Any]] = []
    for number in 0..<count {
      let name = "registry.test/known/image-\(number):1"
      let layers = (0..<layersPerImage).map { Digest(of: Array("\(name) \($0)".utf8)) }
      images.append([
        "image": name, "manifest": Digest(of: Array(name.utf8)).description, "layers": layers.map(\.description),
      ])
      for layer in layers {
        decisions.append(["digest": layer.description, "mode": "lazy", "reason": "estargz, 2000 chunks"])
        let directory = "\(root)/layers/\(layer.hex)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try write(
          [
            "origin": name, "deviceBytes": 100 << 20, "inodes": 2000, "blobBytes": 30 << 20, "complete": true,
            "format": "estargz",
          ], to: "\(directory)/layer.json")
      }
    }
    try write(["images": images, "layers": decisions], to: "\(root)/images.json")
  }

  private static func write(_ json: [String: Any], to path: String) throws {
    try JSONSerialization.data(withJSONObject: json).write(to: URL(fileURLWithPath: path))
  }
}
