import JSONDocument

/// A table as the server renders it (`metav1.Table`), so that every client shows the same columns.
struct ResourceTable: Sendable, Equatable {
  struct Column: Sendable, Equatable {
    var name: String
    /// 0: always shown; above: with `-o wide`.
    var priority = 0
  }
  struct Row: Sendable, Equatable {
    var namespace = ""
    var name = ""
    var cells: [String]
  }

  var columns: [Column]
  var rows: [Row]
  var resourceVersion = ""

  init(columns: [Column], rows: [Row]) {
    self.columns = columns
    self.rows = rows
  }

  /// `nil` if this is no Table.
  init?(json: JSONValue) {
    guard json["kind"].string == "Table" else { return nil }
    columns = json["columnDefinitions"].elements.map {
      Column(name: $0["name"].string ?? "", priority: $0["priority"].int ?? 0)
    }
    rows = json["rows"].elements.map { row in
      let metadata = row["object"]["metadata"]
      return Row(
        namespace: metadata["namespace"].string ?? "", name: metadata["name"].string ?? "",
        cells: row["cells"].elements.map(Self.text))
    }
    resourceVersion = json["metadata"]["resourceVersion"].string ?? ""
  }

  private static func text(_ cell: JSONValue) -> String {
    switch cell {
    case .string(let text): text
    case .null: ""
    default: String(decoding: cell.encoded(), as: UTF8.self)
    }
  }

  /// Takes the rows of another table of the same kind along.
  mutating func append(_ other: ResourceTable) {
    if columns.isEmpty { columns = other.columns }
    rows += other.rows
  }

  /// What is printed: the head in capitals, then the rows; the namespace in front if `withNamespace`.
  func lines(wide: Bool, withNamespace: Bool, withHead: Bool = true) -> [[String]] {
    let shown = columns.indices.filter { wide || columns[$0].priority == 0 }
    let front = withNamespace ? ["NAMESPACE"] : []
    let head = front + shown.map { columns[$0].name.uppercased() }
    let body = rows.map { row in
      (withNamespace ? [row.namespace] : []) + shown.map { $0 < row.cells.count ? row.cells[$0] : "" }
    }
    return withHead ? [head] + body : body
  }
}
