import ArgumentParser
import KubernetesAPI

struct DescribePod: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pod",
    abstract: "Show a pod: its containers, their limits, what the node's hooks changed of them and why, and events.",
    discussion: """
      EXAMPLES
        nagaya describe pod web-0 -n shop-dev
      """, aliases: ["pods", "po"])

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The pod.") var name: String

  func run() async throws {
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let pod = try await session.client.get(.pods, namespace: namespace, name: name)
      let events = try await session.client.list(
        .events, namespace: namespace, fields: "involvedObject.name=\(name)"
      ).items
      Console.current.write(PodDescription(pod: pod, events: events).text)
    }
  }
}

/// A pod, written for people.
struct PodDescription {
  var pod: KubernetesObject
  var events: [KubernetesObject]

  private static let shownEvents = 20
  /// Reasons of events by which the node tells what hooks did.
  static let hookReasons: Set<String> = ["Adjusted", "HookRefused", "HookIgnored", "HookMissed"]

  var text: String {
    let own = events.filter { $0["involvedObject"]["uid"].string == pod.uid }
      .sorted { Self.time($0) < Self.time($1) }
    var text = TableText.text([
      ["Name:", pod.name], ["Namespace:", pod.namespace], ["Node:", pod.spec["nodeName"].string ?? "none"],
      ["Status:", pod.status["phase"].string ?? "Pending"],
    ])
    text += section("Containers", [["NAME", "READY", "RESTARTS", "STATE", "IMAGE"]] + containers)
    text += section("Limits by the node's hooks", limits)
    text += section(
      "Changed by the node's hooks",
      own.filter { Self.hookReasons.contains($0["reason"].string ?? "") }
        .map { [$0["reason"].string ?? "", $0["message"].string ?? ""] })
    text += section(
      "Events",
      own.suffix(Self.shownEvents).map {
        [$0["type"].string ?? "", $0["reason"].string ?? "", $0["message"].string ?? ""]
      })
    return text
  }

  private var containers: [[String]] {
    (pod.spec["initContainers"].elements + pod.spec["containers"].elements).map { container in
      let name = container["name"].string ?? ""
      let statuses = pod.status["initContainerStatuses"].elements + pod.status["containerStatuses"].elements
      let status = statuses.first { $0["name"].string == name } ?? .null
      let state = status["state"].members.sorted { $0.key < $1.key }.first
      let words = [state?.key, state?.value["reason"].string, state?.value["message"].string].compactMap(\.self)
      return [
        name, status["ready"].bool == true ? "yes" : "no", "\(status["restartCount"].int ?? 0)",
        words.joined(separator: ": "), container["image"].string ?? "",
      ]
    }
  }

  /// What the node says of the limits that hold now.
  private var limits: [[String]] {
    HookLimits.read(pod.annotations[HookLimits.annotation] ?? "").flatMap { container, lines in
      lines.map { [container, $0] }
    }
  }

  private func section(_ title: String, _ rows: [[String]]) -> String {
    "\n\(title):\n"
      + (rows.isEmpty ? "  none\n" : TableText.text(rows.map { ["  \($0.first ?? "")"] + $0.dropFirst() }))
  }

  private static func time(_ event: KubernetesObject) -> String {
    event["lastTimestamp"].string ?? event["eventTime"].string ?? event.metadata["creationTimestamp"].string ?? ""
  }
}
