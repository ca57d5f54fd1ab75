import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Something that happened to an object, for people to read.
  static let event = ResourceDefinition(
    .events, singular: "event", shortNames: ["ev"], schema: "io.k8s.api.core.v1.Event",
    columns: [
      .text("Last Seen", "How long ago it was last seen.", missing: "<unknown>") {
        KubernetesObject.age(of: $0.lastSeen)
      },
      .text("Type", "Normal or Warning.") { $0["type"].string },
      .text("Reason", "A word for what happened.") { $0["reason"].string },
      .text("Object", "What it happened to.") { event in
        let object = event["involvedObject"]
        let kind = (object["kind"].string ?? "").lowercased()
        return [kind, object["name"].string ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
      },
      .text("Subobject", "The part of the object.", wide: true, missing: "") {
        $0["involvedObject"]["fieldPath"].string
      },
      .text("Source", "Who reported it.", wide: true, missing: "") { event in
        let component = event["source"]["component"].string ?? event["reportingComponent"].string ?? ""
        let host = event["source"]["host"].string ?? event["reportingInstance"].string ?? ""
        return host.isEmpty ? component : "\(component), \(host)"
      },
      .text("Message", "What happened, in a sentence.", missing: "") { event in
        var message = Substring(event["message"].string ?? "")
        while message.last?.isWhitespace == true { message.removeLast() }
        return String(message)
      },
      .text("First Seen", "How long ago it was first seen.", wide: true, missing: "<unknown>") {
        KubernetesObject.age(of: $0["firstTimestamp"].string ?? $0["eventTime"].string)
      },
      .count("Count", "How often it was seen.", wide: true) { event in
        event["series"]["count"].int ?? event["count"].int ?? 1
      },
      TableColumn("Name", format: "name", description: "The event's name.", priority: 1) { .string($0.name) },
    ],
    selectableFields: [
      involved("kind"), involved("namespace"), involved("name"), involved("uid"), involved("apiVersion"),
      involved("resourceVersion"), involved("fieldPath"),
      SelectableField("reason") { $0["reason"].string ?? "" },
      SelectableField("reportingComponent") { $0["reportingComponent"].string ?? "" },
      SelectableField("source") { $0["source"]["component"].string ?? "" },
      SelectableField("type") { $0["type"].string ?? "" },
    ],
    prepareForCreate: { _ in },
    validate: { event, _ in
      var faults = FieldFaults()
      let object = event["involvedObject"]
      let scope = object["namespace"].string ?? ""
      // Events about objects of the cluster live in `default` (or `kube-system`), as everywhere else.
      if scope.isEmpty ? !["", "default", "kube-system"].contains(event.namespace) : scope != event.namespace {
        faults.invalid("involvedObject.namespace", .string(scope), "does not match event.namespace")
      }
      return faults.causes
    })

  private static func involved(_ key: String) -> SelectableField {
    SelectableField("involvedObject.\(key)") { $0["involvedObject"][key].string ?? "" }
  }
}

extension KubernetesObject {
  fileprivate var lastSeen: String? {
    self["series"]["lastObservedTime"].string ?? self["lastTimestamp"].string ?? self["eventTime"].string
      ?? metadata["creationTimestamp"].string
  }
}
