import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What `get` shows of one kind, and how: every noun of `get` is one of these.
struct Listing: Sendable {
  var resource: Resource
  /// `nil`: all namespaces, or a kind of the cluster.
  var namespace: String?
  var names: [String] = []
  var labels = LabelSelector()
  var format = OutputFormat.table
  var hasHead = true

  private static let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

  private var isAcrossNamespaces: Bool { resource.isNamespaced && namespace == nil }

  /// Prints the objects once.
  func show(_ client: KubernetesClient) async throws {
    switch format {
    case .table, .wide:
      let table = try await table(client)
      guard !table.rows.isEmpty else { return Console.note(try await nothingFound(client)) }
      Console.current.write(TableText.text(lines(table)))
    case .json, .yaml, .name:
      let objects = try await objects(client)
      Console.current.write(
        try ListOutput.text(objects, of: resource, as: format, isList: names.count != 1))
    }
  }

  /// Prints the objects, then each change until the user ends it.
  func watch(_ client: KubernetesClient) async throws {
    var text = TableText()
    let first = try await table(client)
    for line in text.lines(lines(first)) { Console.print(line) }
    var version = first.resourceVersion
    // What was shown last of each object; changes that no column shows are passed over.
    var shown = Dictionary(first.rows.map { (ObjectKey(namespace: $0.namespace, name: $0.name), $0.cells) }) { $1 }
    while true {
      do {
        for try await event in try await client.watch(
          resource, namespace: namespace, labels: labels, fields: fields, from: version)
        {
          switch event {
          case .bookmark(let newer): version = newer
          case .added(let object), .modified(let object):
            version = object.resourceVersion
            guard names.isEmpty || names.contains(object.name) else { continue }
            // The row is asked for anew: columns are the server's business.
            guard let row = try await row(client, object), shown[object.key] != row.rows.first?.cells else { continue }
            shown[object.key] = row.rows.first?.cells
            for line in text.lines(lines(row, withHead: false)) { Console.print(line) }
          case .deleted(let object): version = object.resourceVersion
          }
        }
      } catch let status as APIStatus where status.isExpired {
        version = try await table(client).resourceVersion
      }
      try await WatchPause.take()
    }
  }

  private var fields: String? { names.count == 1 ? "metadata.name=\(names[0])" : nil }

  private func nothingFound(_ client: KubernetesClient) async throws -> String {
    guard let namespace, resource.isNamespaced else { return "No \(resource.plural) found." }
    let text = "No \(resource.plural) found in namespace \(namespace)."
    do { _ = try await client.get(.namespaces, name: namespace) } catch let status as APIStatus {
      // Who may not look at namespaces is not told whether it exists.
      if status.isNotFound { return "\(text) There is no such namespace; see nagaya get tenants, or look with -A." }
    }
    return text
  }

  private func lines(_ table: ResourceTable, withHead: Bool = true) -> [[String]] {
    table.lines(wide: format == .wide, withNamespace: isAcrossNamespaces, withHead: withHead && hasHead)
  }

  private func row(_ client: KubernetesClient, _ object: KubernetesObject) async throws -> ResourceTable? {
    do { return try await table(client, path: resource.path(namespace: object.namespace, name: object.name)) } catch let
      status as APIStatus where status.isNotFound
    { return nil }
  }

  /// The table of everything asked for; pages of 500 under way.
  func table(_ client: KubernetesClient) async throws -> ResourceTable {
    var whole = ResourceTable(columns: [], rows: [])
    guard names.isEmpty else {
      for name in names { whole.append(try await table(client, path: resource.path(namespace: namespace, name: name))) }
      whole.resourceVersion = names.count == 1 ? try await currentVersion(client) : ""
      return whole
    }
    var next: String?
    repeat {
      var query = [(name: "limit", value: "500")]
      if !labels.isEmpty { query.append(("labelSelector", labels.text)) }
      if let next { query.append(("continue", next)) }
      let answer = try await client.json(
        APIRequest(.get, resource.path(namespace: namespace), query: query, accept: Self.accept))
      let page = ResourceTable(json: answer) ?? Self.plainTable(answer)
      whole.append(page)
      whole.resourceVersion = answer["metadata"]["resourceVersion"].string ?? ""
      next = answer["metadata"]["continue"].string.flatMap { $0.isEmpty ? nil : $0 }
    } while next != nil
    return whole
  }

  private func table(_ client: KubernetesClient, path: String) async throws -> ResourceTable {
    let answer = try await client.json(APIRequest(.get, path, accept: Self.accept))
    return ResourceTable(json: answer) ?? Self.plainTable(["items": [answer]])
  }

  private func currentVersion(_ client: KubernetesClient) async throws -> String {
    try await client.list(resource, namespace: namespace, fields: fields).resourceVersion
  }

  /// For servers that render no tables.
  private static func plainTable(_ list: JSONValue) -> ResourceTable {
    let rows = list["items"].elements.map { item in
      let object = KubernetesObject(json: item)
      let age = object.creationTimestamp.map { HumanDuration.text(seconds: Timestamp.now.seconds - $0.seconds) }
      return ResourceTable.Row(
        namespace: object.namespace, name: object.name, cells: [object.name, age ?? "<unknown>"])
    }
    return ResourceTable(columns: [.init(name: "Name"), .init(name: "Age")], rows: rows)
  }

  private func objects(_ client: KubernetesClient) async throws -> [KubernetesObject] {
    guard !names.isEmpty else { return try await client.list(resource, namespace: namespace, labels: labels).items }
    var objects: [KubernetesObject] = []
    for name in names { objects.append(try await client.get(resource, namespace: namespace ?? "", name: name)) }
    return objects
  }
}
