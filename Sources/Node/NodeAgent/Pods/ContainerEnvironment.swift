import JSONDocument
import KubernetesAPI

/// Variables of a container: where the API is, `envFrom`, then `env` in order; later ones win and may refer to earlier ones.
struct ContainerEnvironment {
  /// Reads a config map or secret of the pod's namespace; `nil` if there is none.
  typealias Lookup = @Sendable (Resource, String) async throws -> KubernetesObject?

  private(set) var ordered: [(name: String, value: String)] = []
  private(set) var values: [String: String] = [:]

  /// - Parameter service: where the pod reaches the API, by which clients in pods find it.
  /// - Throws: `PodProblem` with reason `CreateContainerConfigError` for what is referred to and is not there.
  init(
    container: JSONValue, fields: FieldReference, lookup: Lookup, service: (host: String, port: Int)? = nil
  ) async throws {
    if let service {
      set("KUBERNETES_SERVICE_HOST", service.host)
      for name in ["KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"] { set(name, String(service.port)) }
    }
    for source in container["envFrom"].elements {
      let prefix = source["prefix"].string ?? ""
      for (key, resource) in [("configMapRef", Resource.configMaps), ("secretRef", .secrets)] {
        guard let name = source[key]["name"].string else { continue }
        guard let object = try await lookup(resource, name) else {
          if source[key]["optional"].bool == true { continue }
          throw Self.missing(resource, name)
        }
        for (name, value) in Self.data(of: object).sorted(by: { $0.key < $1.key }) where Self.isName(name) {
          set(prefix + name, String(decoding: value, as: UTF8.self))
        }
      }
    }
    for variable in container["env"].elements {
      guard let name = variable["name"].string else { continue }
      let from = variable["valueFrom"]
      if let path = from["fieldRef"]["fieldPath"].string {
        set(name, try fields.value(at: path))
      } else if !from["resourceFieldRef"].isNull {
        set(name, try fields.resource(from["resourceFieldRef"], container: container["name"].string ?? ""))
      } else if let value = try await Self.keyed(from, lookup) {
        if let value = value.text { set(name, value) }
      } else {
        set(name, VariableExpansion.expand(variable["value"].string ?? "", values))
      }
    }
  }

  /// The value of a `configMapKeyRef` or `secretKeyRef`; a text of `nil` is an optional one that is not there.
  private static func keyed(_ from: JSONValue, _ lookup: Lookup) async throws -> (text: String?, Void)? {
    for (member, resource) in [("configMapKeyRef", Resource.configMaps), ("secretKeyRef", .secrets)] {
      let reference = from[member]
      guard let name = reference["name"].string, let key = reference["key"].string else { continue }
      let object = try await lookup(resource, name)
      if let value = object.flatMap({ data(of: $0)[key] }) { return (String(decoding: value, as: UTF8.self), ()) }
      if reference["optional"].bool == true { return (nil, ()) }
      if object == nil { throw missing(resource, name) }
      throw PodProblem(
        "CreateContainerConfigError", "couldn't find key \(key) in \(resource.kind) \(name)")
    }
    return nil
  }

  private mutating func set(_ name: String, _ value: String) {
    if values.updateValue(value, forKey: name) != nil { ordered.removeAll { $0.name == name } }
    ordered.append((name, value))
  }

  private static func missing(_ resource: Resource, _ name: String) -> PodProblem {
    PodProblem("CreateContainerConfigError", "\(resource.kind.lowercased()) \"\(name)\" not found")
  }

  /// Keys that can't be names of variables are left out of `envFrom`.
  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
  }

  /// The keys and bytes of a config map or a secret.
  static func data(of object: KubernetesObject) -> [String: [UInt8]] {
    if object.kind == Resource.secrets.kind {
      var data = object["data"].members.compactMapValues { $0.string.flatMap(Base64.decode) }
      for (key, value) in object["stringData"].strings { data[key] = Array(value.utf8) }
      return data
    }
    var data = object["data"].strings.mapValues { Array($0.utf8) }
    for (key, value) in object["binaryData"].strings { data[key] = Base64.decode(value) }
    return data
  }
}
