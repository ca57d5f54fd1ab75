/// The media types that a client takes, best first (RFC 9110, section 12.5.1).
public struct AcceptHeader: Sendable, Hashable {
  public struct Choice: Sendable, Hashable {
    /// Lower case, without parameters: `application/json`.
    public var type: String
    /// Parameters but `q`: `as`, `g` and `v` say which form of an object is wanted.
    public var parameters: [String: String]
    /// 0 to 1.
    public var quality: Double
  }

  /// In the order of their quality; of equal ones the first is the better.
  public let choices: [Choice]

  /// Reads a header's value. Without one (or an empty one) everything is taken.
  public init(_ text: String?) {
    let text = text ?? ""
    var choices: [Choice] = []
    // More than that is nobody's honest header.
    for part in text.split(separator: ",").prefix(64) {
      let pieces = part.split(separator: ";").map { $0.filter { $0 != " " } }
      guard let type = pieces.first, !type.isEmpty else { continue }
      var choice = Choice(type: type.lowercased(), parameters: [:], quality: 1)
      for piece in pieces.dropFirst() {
        let pair = piece.split(separator: "=", maxSplits: 1)
        guard pair.count == 2 else { continue }
        if pair[0] == "q" {
          choice.quality = Double(pair[1]).map { min(max($0, 0), 1) } ?? 0
        } else {
          choice.parameters[String(pair[0])] = String(pair[1])
        }
      }
      if choice.quality > 0 { choices.append(choice) }
    }
    if text.allSatisfy({ $0 == " " }) { choices = [Choice(type: "*/*", parameters: [:], quality: 1)] }
    self.choices = choices.enumerated().sorted {
      $0.element.quality != $1.element.quality ? $0.element.quality > $1.element.quality : $0.offset < $1.offset
    }.map(\.element)
  }
}

extension AcceptHeader.Choice {
  /// JSON satisfies the choice.
  public var takesJSON: Bool { ["application/json", "application/*", "*/*"].contains(type) }
  public var takesYAML: Bool { ["application/yaml", "application/x-yaml"].contains(type) }
  /// The form asked for: `Table`, `PartialObjectMetadata`, `APIGroupDiscoveryList`; `nil` for the object itself.
  public var form: String? { parameters["as"] }
}

extension AcceptHeader {
  /// The first choice that JSON of one of the forms satisfies; protobuf and unknown forms are passed over.
  /// - Parameter forms: `group/version/kind` of forms that can be given: `meta.k8s.io/v1/Table`
  /// - Returns: the form's kind, or `nil` within for the plain object; `nil` altogether if nothing fits (406).
  public func json(forms: Set<String>) -> (isYAML: Bool, form: String?)? {
    for choice in choices where choice.takesJSON || choice.takesYAML {
      guard let form = choice.form else { return (choice.takesYAML, nil) }
      let name = "\(choice.parameters["g"] ?? "meta.k8s.io")/\(choice.parameters["v"] ?? "v1")/\(form)"
      if forms.contains(name), !choice.takesYAML { return (false, form) }
    }
    return nil
  }
}
