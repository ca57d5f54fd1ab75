import Charts

/// A study as one HTML page that needs no other file.
public struct HTMLPage: Sendable {
  private let result: StudyResult
  private let command: String
  private let notes: [String]

  /// - Parameters:
  ///   - command: the line that makes the page again.
  ///   - notes: what the reader must know about the input, such as lines left out.
  public init(_ result: StudyResult, command: String, notes: [String] = []) {
    self.result = result
    self.command = command
    self.notes = notes
  }

  public var text: String {
    let study = result.study
    var body = "<header><h1>\(Self.escaped(study.title))</h1>\n<p class=\"lead\">\(Self.escaped(study.summary)).</p>\n"
    if let verdict = Verdict(result) {
      body += "<p class=\"verdict\(verdict.defaultIsBeaten ? " beaten" : "")\">\(Self.escaped(verdict.text))</p>\n"
    }
    for line in Verdict.beaten(result) { body += "<p class=\"note\">\(Self.escaped(line)).</p>\n" }
    body += "</header>\n\(table)\n<p class=\"note\">\(Self.escaped(explanation))</p>\n"
    for note in notes { body += "<p class=\"note\">⚠ \(Self.escaped(note))</p>\n" }
    for image in StudyCharts.images(result) { body += "<figure>\(image.inline)</figure>\n" }
    body += "<footer>Made by <code>\(Self.escaped(command))</code>. The same seeds give the same figures.</footer>\n"
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(Self.escaped(study.title))</title>
      <style>
      \(Self.css)\(ChartStyle.css)</style></head>
      <body><main>
      \(body)</main></body></html>

      """
  }

  private var table: String {
    let table = StudyTable(result)
    var html = "<div class=\"scroll\"><table><thead><tr>"
    html += table.head.map { "<th>\(Self.escaped(Self.sentence($0)))</th>" }.joined() + "</tr></thead>\n<tbody>\n"
    for row in table.rows {
      let kind = ["default": "default", "free moves": "reference", "bound": "reference"][row.first ?? ""]
      html += "<tr\(kind.map { " class=\"\($0)\"" } ?? "")>"
      html += row.map { "<td>\(Self.escaped($0))</td>" }.joined() + "</tr>\n"
    }
    return html + "</tbody></table></div>"
  }

  /// `NODES NEEDED` as `Nodes needed`; units keep their letters.
  private static func sentence(_ head: String) -> String {
    let words = head.split(separator: " ").map { word in
      word == word.uppercased() && word.count > 3 ? word.lowercased() : String(word)
    }
    let text = words.joined(separator: " ")
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  private var explanation: String {
    let large = Bytes.text(result.largeBytes)
    var text = ""
    if result.hasSpares {
      text +=
        "Spare needed: the share of the capacity that must stay unused so that fewer than "
        + "\(Percent.text(result.study.pendingLimit)) of the requests stay Pending. "
    }
    if result.hasNodes {
      text +=
        "Nodes needed: the fewest nodes on which fewer than \(Percent.text(result.study.pendingLimit)) of the requests stay "
        + "Pending. "
    }
    text +=
      "Pending: requests that fitted on no node when they came. Stranded: free space that is too broken up to hold a volume of "
      + "\(large), the 99th percentile of the requests, as a share of the capacity. Slots: how many volumes of \(large) could "
      + "still be placed, on average."
    if result.freeMoves != nil {
      text +=
        " Free moves: the default, and whatever does not fit has everything packed anew for nothing; a reference that can be "
        + "reached, and beaten."
    }
    if let words = StudyTable.boundWords(result) {
      text += " Bound: what no policy can beat, one that knows the future and moves for nothing included. \(words)"
    }
    if result.hasMoves {
      text +=
        " Moved: bytes copied per byte admitted. Downtime: how long the owners of what moved stood still, at 1 GB a second and "
        + "10 s to restart."
    }
    if result.study.seeds.count > 1 { text += " ± is the half width of the 95 % interval over the seeds." }
    return text
  }

  private static let css = """
    :root{color-scheme:light dark;--text:#1f2933;--muted:#5b6774;--line:#e3e7eb;--card:#fff;--page:#f4f6f8;--accent:#0072b2}
    @media (prefers-color-scheme:dark){:root{--text:#e8edf2;--muted:#a3b0bd;--line:#2c343d;--card:#12171d;--page:#0b0f13;\
    --accent:#56b4e9}}
    body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 "Inter","Helvetica Neue",Arial,"Liberation Sans",sans-serif}
    main{max-width:860px;margin:0 auto;padding:32px 20px}
    h1{font-size:26px;margin:0 0 4px}
    .lead,.note,footer{color:var(--muted)}
    .lead{margin:0 0 16px}
    .note{font-size:13px}
    .verdict{border-left:4px solid var(--accent);padding:8px 14px;background:var(--card);font-weight:600}
    .verdict.beaten{border-color:#d55e00}
    .scroll{overflow-x:auto;background:var(--card);border-radius:8px;border:1px solid var(--line)}
    table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
    th,td{padding:7px 12px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
    th{color:var(--muted);font-weight:600;font-size:12px}
    th:first-child,td:first-child{text-align:left}
    tr:last-child td{border-bottom:0}
    tr.reference td{color:var(--muted);font-style:italic}
    tr.default td{font-weight:600;color:var(--accent)}
    figure{margin:20px 0;background:var(--card);border-radius:8px;border:1px solid var(--line);padding:4px}
    figure svg{width:100%;height:auto;display:block}
    code{font:12px "DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
    footer{font-size:13px;margin-top:24px}

    """

  static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
  }
}
