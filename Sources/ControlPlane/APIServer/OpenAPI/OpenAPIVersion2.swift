/// The OpenAPI v2 document, as far as kubectl needs one: it says that this server checks fields itself.
///
/// Everything is described in OpenAPI v3. Only for a file of kind `List` does kubectl ask v2 instead, whether a PATCH of a
/// namespace takes `fieldValidation`; without an answer it refuses the whole file. So that is all that stands here.
enum OpenAPIVersion2 {
  /// Clients ask for `…spec.v2@v1.0+protobuf`, but an answer must be named without the `@`, which no media type may have.
  static let contentType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

  /// `openapi.v2.Document` in protobuf (google/gnostic, openapiv2/OpenAPIv2.proto).
  static let document: [UInt8] = {
    let query = field(2, "query") + field(4, "fieldValidation")
    let parameter = field(1, field(2, field(3, query)))
    let kind =
      field(1, "x-kubernetes-group-version-kind") + field(2, field(2, "group: ''\nkind: Namespace\nversion: v1\n"))
    let operation = field(8, parameter) + field(13, kind)
    let path = field(1, "/api/v1/namespaces/{name}") + field(2, field(8, operation))
    return field(1, "2.0") + field(2, field(1, "Nagaya") + field(2, DiscoveryDocuments.gitVersion))
      + field(8, field(2, path))
  }()

  /// A field of bytes: tag, length, content (Protocol Buffers, "Encoding", wire type 2). All numbers are below 16.
  private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    var left = content.count
    repeat {
      length.append(UInt8(left & 0x7F) | (left > 0x7F ? 0x80 : 0))
      left >>= 7
    } while left > 0
    return [number << 3 | 2] + length + content
  }

  private static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
}
