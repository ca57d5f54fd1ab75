import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Attributes of volumes that can change while they are used: a claim names the class, and may name another one later.
  static let volumeAttributesClass = ResourceDefinition(
    .volumeAttributesClasses, singular: "volumeattributesclass", shortNames: ["vac"],
    schema: "io.k8s.api.storage.v1.VolumeAttributesClass",
    columns: [.name, .text("DriverName", "The driver whose volumes have them.") { $0["driverName"].string }, .age],
    prepareForCreate: { _ in },
    validate: { attributesClass, old in
      var faults = FieldFaults()
      let (driver, parameters) = (attributesClass["driverName"], attributesClass["parameters"])
      if let old {
        for key in ["driverName", "parameters"] where attributesClass[key] != old[key] {
          faults.forbidden(key, "updates to \(key) are forbidden.")
        }
        return faults.causes
      }
      if (driver.string ?? "").isEmpty {
        faults.required("driverName")
      } else if !Names.isQualifiedName((driver.string ?? "").lowercased()) {
        faults.invalid("driverName", driver, "must be the name of a CSI driver, such as \(VolumeParameters.driver)")
      }
      faults.checkAttributeParameters(parameters)
      if driver.string == VolumeParameters.driver { faults.checkParameters(parameters, isMutable: true) }
      return faults.causes
    })
}

extension FieldFaults {
  /// storage/v1: at least one, at most 512, of 256 KiB together.
  fileprivate mutating func checkAttributeParameters(_ parameters: JSONValue) {
    let values = parameters.strings
    if values.isEmpty { required("parameters", "must contain at least one key/value pair") }
    if values.count > 512 { tooMany("parameters", values.count, most: 512) }
    if values[""] != nil { invalid("parameters", "", "field can not be empty.") }
    if values.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > 256 << 10 {
      tooLong("parameters", maximumBytes: 256 << 10)
    }
  }

  private mutating func tooMany(_ field: String, _ count: Int, most: Int) {
    invalid(field, JSONValue(count), "must have at most \(most) items")
  }
}
