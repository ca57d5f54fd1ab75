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
        "a label value must be empty or have at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
      )
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
}
