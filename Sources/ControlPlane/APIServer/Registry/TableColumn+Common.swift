import KubernetesAPI

extension TableColumn {
  public static let name = TableColumn(
    "Name", format: "name", description: "The object's name, unique in its namespace among objects of the kind."
  ) { .string($0.name) }

  /// Printed by the server as a span of time, as kubectl expects of tables.
  public static let age = TableColumn(
    "Age", description: "How long ago the object was created."
  ) { object in
    guard let created = object.creationTimestamp else { return "<unknown>" }
    return .string(HumanDuration.text(seconds: Timestamp.now.seconds(since: created)))
  }.showing(".metadata.creationTimestamp")
}
