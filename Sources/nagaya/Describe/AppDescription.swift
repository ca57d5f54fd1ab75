import BoundedNumbers
import JSONDocument
import KubernetesAPI

/// An app and its parts, written for people.
struct AppDescription {
  var app: KubernetesObject
  var pods: [KubernetesObject]
  var claims: [KubernetesObject]
  /// Of the whole namespace; those of the app and its parts are picked out.
  var events: [KubernetesObject]
  var now: Timestamp

  private static let shownEvents = 20

  var text: String {
    var text = fields(summary)
    text += section("Conditions", ["TYPE", "STATUS", "REASON", "MESSAGE"], conditions)
    text += section("Pods", ["NAME", "READY", "STATUS", "RESTARTS", "NODE", "AGE"], pods.map(row(pod:)))
    text += section("Volumes", ["NAME", "MOUNTED AT", "SIZE", "STATE", "CLAIM", "AGE"], volumes)
    text += section("Events", ["AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"], eventRows)
    let state = AppState(app)
    if state.ready != "True" {
      let step = NextStep.text(
        reason: state.reason, message: state.message, app: app.name, namespace: app.namespace, isDescribed: true)
      text += "\nNext step:\n  \(step)\n"
    }
    return text
  }

  private var summary: [(String, String)] {
    let (spec, status) = (app.spec, app.status)
    let state = AppState(app)
    let words = spec["command"].elements + spec["args"].elements
    var fields = [
      ("Name", app.name), ("Namespace", app.namespace), ("Endpoint", status["endpoint"].string ?? "none yet"),
      (
        "Ready",
        state.ready.isEmpty
          ? "not judged yet" : [state.ready, state.text].filter { !$0.isEmpty }.joined(separator: "  ")
      ),
      ("Image", spec["image"].string ?? ""), ("Port", String(spec["port"].int ?? 8080)),
      (
        "Replicas",
        "\(spec["replicas"].int ?? 1) wanted, \(status["readyReplicas"].int ?? 0) ready, "
          + "\(status["updatedReplicas"].int ?? 0) of the newest version"
      ),
    ]
    if !words.isEmpty { fields.append(("Command", words.compactMap(\.string).joined(separator: " "))) }
    if let path = spec["readiness"]["path"].string { fields.append(("Probe", "GET \(path)")) }
    let limits = spec["resources"]["limits"].strings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    if !limits.isEmpty { fields.append(("Limits", limits.joined(separator: ", "))) }
    let names = spec["env"].elements.compactMap { $0["name"].string }
    // Values may be secrets; -o yaml shows them to who wants them.
    if !names.isEmpty { fields.append(("Environment", names.joined(separator: ", "))) }
    fields.append(("Created", app.creationTimestamp.map { "\($0) (\(age($0)) ago)" } ?? "unknown"))
    if app.isBeingDeleted {
      fields.append(("Deleted", "under way since \(app.metadata["deletionTimestamp"].string ?? "")"))
    }
    return fields
  }

  private var conditions: [[String]] {
    app.status["conditions"].elements.map { condition in
      ["type", "status", "reason", "message"].map { condition[$0].string ?? "" }
    }
  }

  private func row(pod: KubernetesObject) -> [String] {
    let containers = pod.status["containerStatuses"].elements
    let ready = containers.count { $0["ready"].bool == true }
    let waiting = containers.compactMap { $0["state"]["waiting"]["reason"].string }.first
    let ended = containers.compactMap { $0["state"]["terminated"]["reason"].string }.first
    let status = pod.isBeingDeleted ? "Terminating" : waiting ?? ended ?? pod.status["phase"].string ?? "Pending"
    return [
      pod.name, "\(ready)/\(max(containers.count, pod.spec["containers"].elements.count))", status,
      String(containers.reduce(0) { $0.clampedAdding($1["restartCount"].int ?? 0) }),
      pod.spec["nodeName"].string ?? "none",
      pod.creationTimestamp.map(age) ?? "unknown",
    ]
  }

  private var volumes: [[String]] {
    app.spec["volumes"].elements.map { volume in
      let name = volume["name"].string ?? ""
      let claim = claims.first { $0.name == "\(app.name)-\(name)" }
      let size = claim?.status["capacity"]["storage"].string ?? volume["size"].string ?? ""
      return [
        name, volume["mountPath"].string ?? "", size, claim?.status["phase"].string ?? "not made yet",
        claim?.name ?? "", claim?.creationTimestamp.map(age) ?? "",
      ]
    }
  }

  private var eventRows: [[String]] {
    let uids = Set(([app] + pods + claims).map(\.uid))
    // ReplicaSets and Deployments of the app, and pods that are gone: all are named after it.
    func isOurs(_ event: KubernetesObject) -> Bool {
      let object = event["involvedObject"]
      if let uid = object["uid"].string, uids.contains(uid) { return true }
      let name = object["name"].string ?? ""
      return name == app.name || (["ReplicaSet", "Pod"].contains(object["kind"].string) && isGenerated(name))
    }
    let ours = events.filter(isOurs).sorted { time($0) < time($1) }.suffix(Self.shownEvents)
    return ours.map { event in
      let object = event["involvedObject"]
      let count = event["count"].int ?? 1
      return [
        age(time(event)) + (count > 1 ? " (x\(count))" : ""), event["type"].string ?? "", event["reason"].string ?? "",
        "\(object["kind"].string?.lowercased() ?? "")/\(object["name"].string ?? "")", event["message"].string ?? "",
      ]
    }
  }

  /// `hello-7d9f8` or `hello-7d9f8-abcde`, but not another app's `hello-world-7d9f8-abcde`.
  private func isGenerated(_ name: String) -> Bool {
    guard name.hasPrefix(app.name + "-") else { return false }
    let parts = name.dropFirst(app.name.count + 1).split(separator: "-")
    return (1...2).contains(parts.count) && parts.allSatisfy { $0.contains(where: \.isNumber) || $0.count == 5 }
  }

  private func time(_ event: KubernetesObject) -> Timestamp {
    let texts = [event["lastTimestamp"], event["eventTime"], event["firstTimestamp"]].compactMap(\.string)
    return texts.lazy.compactMap(Timestamp.init).first ?? event.creationTimestamp ?? Timestamp(seconds: 0)
  }

  private func age(_ time: Timestamp) -> String { HumanDuration.text(seconds: now.seconds(since: time)) }

  private func fields(_ fields: [(String, String)]) -> String {
    let width = (fields.map(\.0.count).max() ?? 0) + 4
    return fields.map { "\("\($0.0):".padding(to: width))\(TableText.plain($0.1))\n" }.joined()
  }

  private func section(_ title: String, _ head: [String], _ rows: [[String]]) -> String {
    guard !rows.isEmpty else { return "\n\(title): none\n" }
    var table = TableText()
    return "\n\(title):\n" + table.lines([head] + rows).map { "  \($0)\n" }.joined()
  }
}
