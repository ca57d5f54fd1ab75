import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Data that only the pods that need it should see.
  static let secret = ResourceDefinition(
    .secrets, singular: "secret", schema: "io.k8s.api.core.v1.Secret",
    columns: [
      .name, .text("Type", "What the data is for.") { $0["type"].string },
      .count("Data", "How many keys it holds.") { $0["data"].members.count }, .age,
    ],
    selectableFields: [SelectableField("type") { $0["type"].string ?? "" }],
    applyDefaults: { secret in
      if (secret["type"].string ?? "").isEmpty { secret["type"] = "Opaque" }
      // stringData is for writing only: it joins data as base64 and is never stored.
      for (key, value) in secret["stringData"].strings {
        secret["data"][key] = .string(Base64.encode(value.utf8))
      }
      secret.json.remove("stringData")
    },
    validate: { secret, old in
      var faults = FieldFaults()
      var bytes = 0
      for (key, value) in secret["data"].members.sorted(by: { $0.key < $1.key }) {
        if !ConfigKeys.isValid(key) { faults.invalid("data[\(key)]", .string(key), ConfigKeys.rule) }
        guard let text = value.string, let count = Base64.decodedCount(text) else {
          faults.invalid("data[\(key)]", "", "must be base64 (RFC 4648)")
          continue
        }
        bytes += count
      }
      if bytes > ConfigKeys.maximumBytes { faults.tooLong("data", maximumBytes: ConfigKeys.maximumBytes) }
      for key in requiredKeys(secret["type"].string ?? "") where secret["data"].members[key] == nil {
        faults.required("data[\(key)]")
      }
      if let old {
        faults.checkImmutable("type", new: secret["type"], old: old["type"])
        faults.checkImmutableData(secret, old, fields: ["data"])
      }
      return faults.causes
    })

  private static func requiredKeys(_ type: String) -> [String] {
    switch type {
    case "kubernetes.io/tls": ["tls.crt", "tls.key"]
    case "kubernetes.io/dockerconfigjson": [".dockerconfigjson"]
    case "kubernetes.io/dockercfg": [".dockercfg"]
    case "kubernetes.io/ssh-auth": ["ssh-privatekey"]
    default: []
    }
  }
}

/// Base64 with padding (RFC 4648, section 4), as `[]byte` fields of the API are written.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    var group: UInt32 = 0
    var count = 0
    func emit(_ digits: Int) {
      for index in 0..<digits { text.append(alphabet[Int(group >> UInt32(18 - 6 * index) & 63)]) }
    }
    for byte in bytes {
      group |= UInt32(byte) << UInt32(16 - 8 * count)
      count += 1
      if count == 3 {
        emit(4)
        (group, count) = (0, 0)
      }
    }
    if count > 0 {
      emit(count + 1)
      text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - count))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// How many bytes `text` stands for; `nil` if it is no base64. Line breaks are allowed, as in Kubernetes.
  static func decodedCount(_ text: String) -> Int? {
    var digits = 0
    var padding = 0
    for byte in text.utf8 where byte != 0x0A && byte != 0x0D {
      if byte == UInt8(ascii: "=") {
        padding += 1
      } else if padding == 0, alphabetSet.contains(byte) {
        digits += 1
      } else {
        return nil
      }
    }
    guard padding <= 2, (digits + padding) % 4 == 0 else { return nil }
    return (digits + padding) / 4 * 3 - padding
  }

  private static let alphabetSet = Set(alphabet)
}
