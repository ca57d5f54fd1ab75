import ArgumentParser
import JSONDocument
import KubernetesAPI

/// `NAME:/PATH:SIZE[:CLASS]` on the command line: a volume and where the app finds it.
struct VolumeArgument: ExpressibleByArgument, Hashable {
  let name: String
  let mountPath: String
  let size: String
  let storageClass: String?

  struct Malformed: Error, Hashable, CustomStringConvertible {
    let description: String
  }

  init(parsing text: String) throws(Malformed) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard (3...4).contains(parts.count) else {
      throw Malformed(description: "a volume is NAME:/PATH:SIZE, or NAME:/PATH:SIZE:CLASS, such as data:/data:1Gi")
    }
    guard Names.isDNSLabel(parts[0]) else {
      throw Malformed(description: "the volume's name \"\(parts[0])\" must be lower-case letters, digits and dashes")
    }
    guard parts[1].isAbsolutePath, parts[1] != "/", !parts[1].leadsUpwards else {
      throw Malformed(description: "the volume's path \"\(parts[1])\" must be absolute, without .., and not / itself")
    }
    guard let quantity = Quantity(parts[2]), quantity.value > 0 else {
      throw Malformed(description: "the volume's size \"\(parts[2])\" must be a quantity such as 512Mi or 10Gi")
    }
    guard quantity.value >= 1 << 20 else {
      // A bare number is most likely meant in a larger unit; a number with a small one is just too little.
      let isBare = parts[2].allSatisfy(\.isNumber)
      throw Malformed(
        description: isBare
          ? "the volume's size \"\(parts[2])\" is in bytes; say \(parts[2])Gi or \(parts[2])Mi"
          : "the volume's size \"\(parts[2])\" is too small: at least 1Mi, such as 512Mi or 10Gi")
    }
    if parts.count == 4 {
      guard Names.isDNSSubdomain(parts[3]) else {
        throw Malformed(description: "\"\(parts[3])\" is no name of a storage class")
      }
    }
    name = parts[0]
    mountPath = parts[1]
    size = parts[2]
    storageClass = parts.count == 4 ? parts[3] : nil
  }

  init?(argument: String) {
    guard let volume = try? VolumeArgument(parsing: argument) else { return nil }
    self = volume
  }

  var json: JSONValue {
    var json: JSONValue = ["name": .string(name), "mountPath": .string(mountPath), "size": .string(size)]
    json.set("storageClassName", ifPresent: storageClass.map { .string($0) })
    return json
  }
}
