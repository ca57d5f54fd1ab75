import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Settings that pods mount or read as environment.
  static let configMap = ResourceDefinition(
    .configMaps, singular: "configmap", shortNames: ["cm"], schema: "io.k8s.api.core.v1.ConfigMap",
    columns: [
      .name,
      .count("Data", "How many keys it holds.") { $0["data"].members.count + $0["binaryData"].members.count },
      .age,
    ],
    validate: { configMap, old in
      var faults = FieldFaults()
      var bytes = 0
      for field in ["data", "binaryData"] {
        for (key, value) in configMap[field].members.sorted(by: { $0.key < $1.key }) {
          if !ConfigKeys.isValid(key) { faults.invalid("\(field)[\(key)]", .string(key), ConfigKeys.rule) }
          bytes += key.utf8.count
          if field == "data" {
            bytes += value.string?.utf8.count ?? 0
          } else if let count = value.string.flatMap({ Base64.decodedCount($0) }) {
            bytes += count
          } else {
            faults.invalid("binaryData[\(key)]", "", "must be base64 (RFC 4648)")
          }
        }
      }
      for key in configMap["data"].members.keys.sorted() where configMap["binaryData"].members[key] != nil {
        faults.invalid("data[\(key)]", .string(key), "duplicate of key present in binaryData")
      }
      if bytes > ConfigKeys.maximumBytes { faults.tooLong("", maximumBytes: ConfigKeys.maximumBytes) }
      if let old { faults.checkImmutableData(configMap, old, fields: ["data", "binaryData"]) }
      return faults.causes
    })
}

/// The rules for keys of config maps and secrets: they become file names.
enum ConfigKeys {
  /// Bytes that one config map or secret may hold.
  static let maximumBytes = 1 << 20
  static let rule =
    "a valid config key must consist of letters, digits, '-', '_' or '.', at most 253 of them, and may not be '.' or begin with '..'"

  static func isValid(_ key: String) -> Bool {
    (1...253).contains(key.utf8.count) && key != "." && !key.hasPrefix("..")
      && key.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }
}

extension FieldFaults {
  /// `immutable: true` freezes the data and cannot be taken back.
  mutating func checkImmutableData(_ new: KubernetesObject, _ old: KubernetesObject, fields: [String]) {
    guard old["immutable"].bool == true else { return }
    if new["immutable"].bool != true {
      forbidden("immutable", "field is immutable when `immutable` is set")
    }
    for field in fields where new[field].members != old[field].members {
      forbidden(field, "field is immutable when `immutable` is set")
    }
  }
}
