import JSONDocument

/// The answer of a token server (distribution specification, "Token Authentication", and its OAuth 2 form).
public struct RegistryToken: Sendable, Hashable {
  /// As it is sent; secret.
  public let text: String
  public let lifetime: Duration

  /// - Throws: what is wrong with the answer, in words.
  public init(parsing bytes: [UInt8]) throws(Malformed) {
    guard let json = try? JSONValue(parsing: bytes, limits: JSONLimits(depth: 20, bytes: AnswerLimit.token)) else {
      throw Malformed(description: "the token server's answer is no JSON")
    }
    let texts = [json["token"].string, json["access_token"].string].compactMap { $0 }
    guard let text = texts.first(where: { !$0.isEmpty }) else {
      throw Malformed(description: "the token server's answer has no token")
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw Malformed(description: "the token has characters that no header may have")
    }
    self.text = text
    // 60 s if nothing is said; tokens of many days are asked for again every day.
    lifetime = .seconds(min(86_400, max(0, json["expires_in"].double ?? 60)))
  }

  /// What is wrong with an answer, in words.
  public struct Malformed: Error, Hashable, CustomStringConvertible {
    public let description: String
  }
}
