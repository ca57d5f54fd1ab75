import JSONDocument
import KubernetesAPI
import KubernetesClient

/// A body as a tree, with the complaints that `fieldValidation` is about.
struct RequestBody: Sendable {
  var json: JSONValue
  /// Paths of members that occur twice.
  var duplicateFields: [String]

  /// Reads JSON, or YAML or Kubernetes' protobuf form if the media type says so.
  /// - Parameter schemas: the shapes that number the fields of protobuf messages.
  /// - Throws: `APIStatus` 413, 415 or 400.
  init(_ request: APIRequest, limits: JSONLimits, schemas: SchemaCatalog) throws(APIStatus) {
    guard request.body.count <= limits.bytes else {
      throw APIStatus(
        .requestEntityTooLarge, "the request body is larger than the limit of \(limits.bytes) bytes")
    }
    switch Self.mediaType(request.contentType) {
    case nil, "", "application/json", "application/json-patch+json", "application/merge-patch+json",
      "application/strategic-merge-patch+json":
      var duplicates: [String] = []
      do throws(JSONError) {
        json = try JSONValue(parsing: request.body, limits: limits, duplicateKeys: &duplicates)
      } catch {
        throw Self.status(of: error)
      }
      duplicateFields = duplicates
    case "application/yaml":
      guard let text = String(validating: request.body, as: UTF8.self) else {
        throw APIStatus(.badRequest, "the request body is not valid UTF-8")
      }
      do {
        let documents = try YAML.parseAll(text, limits: limits)
        guard documents.count == 1 else {
          throw APIStatus(.badRequest, "the request body must hold one YAML document, not \(documents.count)")
        }
        json = documents[0]
      } catch let status as APIStatus {
        throw status
      } catch {
        throw APIStatus(.badRequest, "\(error)")
      }
      duplicateFields = []
    case KubernetesProtobuf.mediaType:
      // kubectl's own commands (create, auth can-i) write nothing else.
      do throws(KubernetesProtobuf.Failure) {
        json = try KubernetesProtobuf.decode(request.body, catalog: schemas, maximumDepth: limits.depth)
      } catch {
        switch error {
        case .noProtobufForm: throw APIStatus(.unsupportedMediaType, "\(error)")
        case .malformed: throw APIStatus(.badRequest, "\(error)")
        }
      }
      duplicateFields = []
    case let other?:
      throw APIStatus(
        .unsupportedMediaType,
        "the body of the request was in an unknown format (\(other.prefix(80))): use application/json or application/yaml"
      )
    }
  }

  private static func status(of error: JSONError) -> APIStatus {
    if case .tooLarge = error.reason { return APIStatus(.requestEntityTooLarge, "\(error)") }
    return APIStatus(.badRequest, "\(error)")
  }

  /// Without parameters, in lower case.
  static func mediaType(_ contentType: String?) -> String? {
    contentType?.split(separator: ";").first.map { $0.lowercased().filter { $0 != " " } }
  }
}

extension JSONValue {
  /// Takes out members that are null: to the API they are the same as missing ones.
  mutating func removeNulls() {
    switch self {
    case .object(let members):
      var kept: [String: JSONValue] = [:]
      kept.reserveCapacity(members.count)
      for (key, value) in members where !value.isNull {
        var value = value
        value.removeNulls()
        kept[key] = value
      }
      self = .object(kept)
    case .array(let elements):
      self = .array(
        elements.map {
          var element = $0
          element.removeNulls()
          return element
        })
    default: break
    }
  }
}
