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
