import KubernetesAPI

/// What people read when an app cannot answer: plain text, or a small page for browsers.
struct ErrorPage: Sendable, Hashable {
  let status: Int
  let title: String
  let lines: [String]
  var retryAfterSeconds: Int?

  static func unknownHost(_ host: String) -> ErrorPage {
    ErrorPage(
      status: 404, title: "No app here",
      lines: ["There is no app at \(host).", "List the apps of a namespace: nagaya get apps -n NAMESPACE"])
  }

  /// - Parameter url: where the app is now.
  static func moved(_ host: String, to url: String) -> ErrorPage {
    ErrorPage(
      status: 404, title: "The app has another address",
      lines: ["There is no app at \(host) any more. It answers at \(url)"])
  }

  static func notReady(_ app: ObjectKey, reason: String, message: String) -> ErrorPage {
    var lines = ["The app \(app.name) in \(app.namespace) has no ready pod\(reason.isEmpty ? "." : ": \(reason)")"]
    if !message.isEmpty { lines.append(message) }
    lines.append("See what it does: nagaya describe app \(app.name) -n \(app.namespace)")
    return ErrorPage(status: 503, title: "The app is not ready", lines: lines, retryAfterSeconds: 2)
  }

  static func overloaded(_ app: ObjectKey) -> ErrorPage {
    ErrorPage(
      status: 503, title: "Too many requests at a time",
      lines: ["The app \(app.name) in \(app.namespace) has as many requests under way as it may have."],
      retryAfterSeconds: 1)
  }

  static func unreachable(_ app: ObjectKey, _ why: String) -> ErrorPage {
    ErrorPage(
      status: 502, title: "The app did not answer",
      lines: [
        "The app \(app.name) in \(app.namespace) \(why).",
        "Its log may say more: nagaya logs app \(app.name) -n \(app.namespace)",
      ])
  }

  static func timedOut(_ app: ObjectKey, seconds: Int64) -> ErrorPage {
    ErrorPage(
      status: 504, title: "The app is too slow",
      lines: [
        "The app \(app.name) in \(app.namespace) gave no answer within \(seconds) s.",
        "Its log may say more: nagaya logs app \(app.name) -n \(app.namespace)",
      ])
  }

  static func refused(status: Int, _ why: String) -> ErrorPage {
    ErrorPage(status: status, title: "The request is refused", lines: ["It was not passed on: \(why)."])
  }

  /// The media type and the text, by what the client prefers.
  func rendered(accept: String?) -> (contentType: String, text: String) {
    guard let accept, accept.lowercased().contains("text/html") else {
      return ("text/plain; charset=utf-8", "\(title)\n" + lines.map { "\($0)\n" }.joined())
    }
    let paragraphs = lines.map { "<p>\(Self.escaped($0))</p>" }.joined(separator: "\n")
    let style = "body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:12vh auto;padding:0 1em;color:#222}"
    return (
      "text/html; charset=utf-8",
      """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><title>\(status) \(Self.escaped(title))</title>
      <style>\(style)</style></head>
      <body><h1>\(Self.escaped(title))</h1>
      \(paragraphs)
      <p><small>\(status) · Nagaya</small></p></body></html>

      """
    )
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
