import Crypto
import Foundation

enum GateHash {
  static func of(_ text: String) -> SHA256Digest { SHA256.hash(data: Data(text.utf8)) }

  static func hexadecimal(of text: String) -> String {
    of(text).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
