import ArgumentParser
import ProcessMetrics

/// `nagaya metrics`: what the parts of this machine say of themselves.
struct Metrics: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the figures of this machine's parts, for Prometheus.",
    discussion: """
      The figures of all parts as one text (exposition formats, version 0.0.4), each with the label part: memory and processor \
      time, queues and reconciles, informers, requests of apps, pools, hooks, images. The API server's alone has \
      `kubectl get --raw /metrics`, for members of the group system:monitoring, too. Parts that run by themselves beside a \
      cluster serve them where --metrics-address says.

      EXAMPLES
        nagaya metrics
        nagaya metrics edge | grep in_flight
        nagaya metrics > nagaya.tmp && mv nagaya.tmp /var/lib/prometheus/node-exporter/nagaya.prom
      """)

  @OptionGroup var directories: DirectoryOptions

  @Argument(
    help: "Only of these parts: \(PartKind.allCases.map(\.rawValue).joined(separator: ", ")), images.",
    completion: .list(PartKind.allCases.map(\.rawValue) + ["images"]))
  var parts: [String] = []

  func validate() throws {
    let known = PartKind.allCases.map(\.rawValue) + ["images"]
    if let unknown = parts.first(where: { !known.contains($0) }) {
      throw ValidationError("there is no part \"\(unknown)\": name \(known.joined(separator: ", "))")
    }
  }

  func run() async throws {
    let layout = directories.layout
    var places: [(part: String, socket: String)] = PartKind.allCases.map { ($0.rawValue, layout.statusSocket(of: $0)) }
    // These have more to say than their processes.
    places.append((PartKind.hooks.rawValue, layout.hooksSocket))
    places.append(("images", "\(layout.imagesRun)/status.sock"))
    if !parts.isEmpty { places.removeAll { !parts.contains($0.part) } }
    var merge = MetricsMerge(label: "part")
    var failures: [CommandFailure] = []
    for place in places {
      let socket = StatusSocket(
        path: place.socket, owner: "part \(place.part)", remedy: "see whether it runs: `nagaya status`")
      do {
        let (status, body) = try await socket.ask("GET", "/metrics")
        guard status == 200 else { continue }
        merge.add(String(decoding: body, as: UTF8.self), of: place.part)
      } catch let failure as CommandFailure {
        failures.append(failure)
      }
    }
    guard failures.count < places.count else {
      throw CommandFailure("nothing of Nagaya runs here (\(layout.run))", remedy: "start it with `nagaya up --detach`")
    }
    for failure in failures { Console.note("\(failure.what)") }
    Console.current.write(merge.text)
  }
}
