import JSONDocument
import KubernetesAPI

extension FieldFaults {
  /// Bytes that all annotations of an object may take together.
  static let maximumAnnotationBytes = 256 << 10

  mutating func checkLabels(_ field: String, _ labels: JSONValue) {
    for (key, value) in labels.members.sorted(by: { $0.key < $1.key }) {
      checkQualifiedName(field, key)
      guard let text = value.string, !Names.isLabelValue(text) else { continue }
      invalid(
        field, value,
        "a label value must be empty or have at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit")
    }
  }

  mutating func checkAnnotations(_ field: String, _ annotations: JSONValue) {
    var bytes = 0
    for (key, value) in annotations.members.sorted(by: { $0.key < $1.key }) {
      checkQualifiedName(field, key.lowercased(), shown: key)
      bytes += key.utf8.count + (value.string?.utf8.count ?? 0)
    }
    if bytes > Self.maximumAnnotationBytes { tooLong(field, maximumBytes: Self.maximumAnnotationBytes) }
  }

  private mutating func checkQualifiedName(_ field: String, _ key: String, shown: String? = nil) {
    guard !Names.isQualifiedName(key) else { return }
    invalid(
      field, .string(shown ?? key),
      "a key must be [prefix/]name: the name at most 63 letters, digits, '-', '_' or '.', the prefix a DNS subdomain")
  }

  /// What holds for the metadata of every kind, besides the name.
  mutating func checkMetadata(_ object: KubernetesObject) {
    checkLabels("metadata.labels", object.metadata["labels"])
    checkAnnotations("metadata.annotations", object.metadata["annotations"])
    for finalizer in object.finalizers where !Names.isQualifiedName(finalizer) {
      invalid("metadata.finalizers", .string(finalizer), "must be a qualified name such as example.com/cleanup")
    }
    var hasController = false
    for (index, owner) in object.metadata["ownerReferences"].elements.enumerated() {
      let field = "metadata.ownerReferences[\(index)]"
      for key in ["apiVersion", "kind", "name", "uid"] where (owner[key].string ?? "").isEmpty {
        required("\(field).\(key)", "must not be empty")
      }
      guard owner["controller"].bool == true else { continue }
      if hasController {
        invalid("metadata.ownerReferences", object.metadata["ownerReferences"],
          "only one reference can have controller set to true")
      }
      hasController = true
    }
  }
}
