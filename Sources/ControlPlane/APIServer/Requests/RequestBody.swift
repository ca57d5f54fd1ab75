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
        .requestEntityTooLarge,
        "the request body has \(request.body.count) bytes: Request entity too large: limit is \(limits.bytes)")
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
      } catch let failure as YAML.Failure where failure.isTooLarge {
        throw APIStatus(
          .requestEntityTooLarge, "\(failure.description): Request entity too large: limit is \(limits.bytes)")
      } catch {
        throw APIStatus(.badRequest, "\(error)")
      }
      duplicateFields = []
    case KubernetesProtobuf.mediaType:
      // kubectl's own commands (create, auth can-i) write nothing else.
      do throws(KubernetesProtobuf.Failure) {
        json = try KubernetesProtobuf.decode(request.body, catalog: schemas, limits: limits)
      } catch {
        switch error {
        case .noProtobufForm: throw APIStatus(.unsupportedMediaType, "\(error)")
        case .malformed: throw APIStatus(.badRequest, "\(error)")
        case .tooManyValues: throw APIStatus(.requestEntityTooLarge, "\(error)")
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
    switch error.reason {
    case .tooLarge(let limit), .tooManyValues(let limit):
      return APIStatus(.requestEntityTooLarge, "\(error): Request entity too large: limit is \(limit)")
    default: break
    }
    return APIStatus(.badRequest, "\(error)")
  }

  /// Without parameters, in lower case.
  static func mediaType(_ contentType: String?) -> String? {
    contentType?.split(separator: ";").first.map { $0.lowercased().filter { $0 != " " } }
  }
}
