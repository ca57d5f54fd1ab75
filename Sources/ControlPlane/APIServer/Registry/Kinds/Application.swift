import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// An app: an image that runs, with an https endpoint and volumes. The Applications room makes the rest of it.
  static let application = ResourceDefinition(
    .applications, singular: "application", shortNames: ["app", "apps"], categories: ["all", "nagaya"],
    schema: "dev.nagaya.v1alpha1.Application", nameRule: .dnsLabel,
    columns: [
      .name,
      .text("Endpoint", "Where it answers.", missing: "") { $0.status["endpoint"].string },
      .conditionReady, .conditionReason, .age,
      .text("Image", "What runs.", wide: true) { $0.spec["image"].string },
      .count("Replicas", "How many pods it should have.", wide: true) { $0.spec["replicas"].int },
    ],
    subresources: [
      .status, .scale,
    ],
    hasGeneration: true,
    applyDefaults: { app in
      app.spec.setDefault("port", 8080)
      app.spec.setDefault("replicas", 1)
      app.spec.setDefault("volumeRetention", "Delete")
    },
    validate: { app, old in
      var faults = FieldFaults()
      let spec = app.spec
      if (spec["image"].string ?? "").isEmpty { faults.required("spec.image") }
      faults.checkChoice("spec.volumeRetention", spec["volumeRetention"], ["Delete", "Retain"])
      if let path = spec["readiness"]["path"].string, !path.isAbsolutePath {
        faults.invalid("spec.readiness.path", .string(path), "must begin with '/'")
      }
      faults.checkEnvironment("spec.env", spec["env"])
      faults.checkResources("spec.resources", spec["resources"])
      faults.checkAppVolumes(app.name, spec["volumes"].elements, old: old?.spec["volumes"].elements ?? [])
      return faults.causes
    })
}

extension FieldFaults {
  fileprivate mutating func checkAppVolumes(_ app: String, _ volumes: [JSONValue], old: [JSONValue]) {
    var names: Set<String> = []
    var paths: Set<String> = []
    for (index, volume) in volumes.enumerated() {
      let field = "spec.volumes[\(index)]"
      let name = volume["name"].string ?? ""
      checkDNSLabel("\(field).name", volume["name"])
      if !name.isEmpty, !names.insert(name).inserted { duplicate("\(field).name", .string(name)) }
      if "\(app)-\(name)".utf8.count > 253 {
        invalid("\(field).name", .string(name), "the claim's name <app>-<volume> may have at most 253 characters")
      }
      let path = volume["mountPath"].string ?? ""
      if path.isEmpty {
        required("\(field).mountPath")
      } else if !path.isAbsolutePath || path == "/" || path.leadsUpwards {
        invalid("\(field).mountPath", .string(path), "must be an absolute path below '/' without '..'")
      } else if !paths.insert(path).inserted {
        duplicate("\(field).mountPath", .string(path))
      }
      if volume["size"].isNull { required("\(field).size") }
      checkPositiveSize("\(field).size", volume["size"])
      guard let before = old.first(where: { $0["name"] == volume["name"] }) else { continue }
      if let wanted = Quantity(json: volume["size"]), let had = Quantity(json: before["size"]), wanted < had {
        invalid("\(field).size", volume["size"], "a volume cannot shrink")
      }
      checkImmutable("\(field).storageClassName", new: volume["storageClassName"], old: before["storageClassName"])
    }
  }
}
