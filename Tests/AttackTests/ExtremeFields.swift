import APIServer
import JSONDocument
import KubernetesAPI

/// A field that holds a number, a quantity or a time, as the schema of its kind declares it.
struct ExtremeField: Sendable, CustomStringConvertible {
  enum Step: Sendable, Hashable {
    case member(String)
    case element
  }

  let resource: Resource
  let path: [Step]
  let schema: Schema

  var description: String {
    resource.kind
      + path.map {
        switch $0 {
        case .member(let name): ".\(name)"
        case .element: "[0]"
        }
      }.joined()
  }

  /// A shape that is tried in full elsewhere: a workload's template is a pod, containers of other sorts are containers.
  var isRepeated: Bool {
    [.member("template"), .member("initContainers"), .member("ephemeralContainers")].contains(where: path.contains)
  }

  /// Every such field of every kind.
  static let all: [ExtremeField] = ResourceRegistry.standard.definitions.flatMap { definition in
    var fields: [ExtremeField] = []
    walk(definition.schema, [], definition.resource, &fields)
    return fields
  }

  private static func walk(_ name: String, _ path: [Step], _ resource: Resource, _ fields: inout [ExtremeField]) {
    guard path.count < 24, let object = SchemaCatalog.standard[name] else { return }
    for field in object.fields { walk(field.schema, path + [.member(field.name)], resource, &fields) }
  }

  private static func walk(_ schema: Schema, _ path: [Step], _ resource: Resource, _ fields: inout [ExtremeField]) {
    switch schema {
    case .integer, .number, .quantity, .intOrString, .string(format: "date-time", _),
      .string(format: "date-time-micro", _):
      fields.append(ExtremeField(resource: resource, path: path, schema: schema))
    case .reference(let name): walk(name, path, resource, &fields)
    case .array(let element, _): walk(element, path + [.element], resource, &fields)
    case .map(let element):
      // The names that resources have; other maps take any.
      for key in ["cpu", "memory", "storage"] { walk(element, path + [.member(key)], resource, &fields) }
    case .string, .boolean, .any: break
    }
  }

  // MARK: Values

  /// What is tried, the worst first.
  var values: [JSONValue] {
    switch schema {
    case .integer, .number: Self.numbers
    case .intOrString: Self.numbers + ["9223372036854775807%", "99999999999999999999999%", "-1%", "0%", "NaN"]
    case .quantity: Self.quantities
    default: Self.times
    }
  }

  private static let numbers: [JSONValue] = [
    .integer(.max), .integer(.min), -1, .integer(1 << 31), .integer(-1 << 31), .integer(1 << 31 - 1), 0, 1,
    .integer(1 << 53), .integer(1 << 53 + 1), .number(1e308), .number(-1e308), .number(-0.0), .number(1e15), 0.5,
    .number(.leastNonzeroMagnitude), "NaN", "Infinity", .integer(-9_223_372_036_854_775_807),
  ]

  private static let quantities: [JSONValue] =
    [
      "9223372036854775807", "-9223372036854775808", "-1", "0", "1n", "-1n", .integer(.max), .integer(.min),
      .number(1e308), .number(-1e308), "9223372036854775808", "1e308", "1e-308", "-1e2147483647", "1e-2147483648",
      "999999999999999999999999999999999999999999999999999999999999999", "0.00000000000000000000000000001",
      "170141183460469231731687303715884105727", "9223372036854775807.999999999", "NaN",
    ]
    + ["n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].flatMap {
      [.string("9223372036854775807\($0)"), .string("-9223372036854775807\($0)")] as [JSONValue]
    }

  private static let times: [JSONValue] = [
    "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:60-23:59", "0000-01-01T00:00:00+99:99",
    "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59.999999999Z",
    "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "", "NaN",
  ]

  // MARK: Objects

  /// An object of the kind with this value in this field; what is required beside it is there too.
  func object(_ name: String, holding value: JSONValue) -> KubernetesObject {
    var object = KubernetesObject(
      resource, namespace: resource.isNamespaced ? Self.namespace : nil, name: name)
    if let base = Self.bases[resource.plural], let json = try? JSONValue(parsing: base) {
      for (key, member) in json.members { object[key] = member }
    }
    Self.put(value, at: path[...], into: &object.json, as: .reference(Self.schemas[resource] ?? ""))
    if resource.plural == "deployments" || resource.plural == "replicasets" {
      object.spec["selector"]["matchLabels"]["app"] = "x"
      object.spec["template"]["metadata"]["labels"]["app"] = "x"
    }
    return object
  }

  static let namespace = "extreme"
  private static let schemas = Dictionary(
    uniqueKeysWithValues: ResourceRegistry.standard.definitions.map { ($0.resource, $0.schema) })

  private static func put(_ value: JSONValue, at path: ArraySlice<Step>, into json: inout JSONValue, as schema: Schema)
  {
    guard let step = path.first else {
      json = value
      return
    }
    if json.isNull { json = empty(schema) }
    switch (step, schema) {
    case (.member(let name), .reference(let object)):
      let next = SchemaCatalog.standard[object]?.field(name)?.schema ?? .any
      put(value, at: path.dropFirst(), into: &json[name], as: next)
    case (.member(let name), .map(let element)): put(value, at: path.dropFirst(), into: &json[name], as: element)
    case (.element, .array(let element, _)):
      var elements = json.elements
      var first = elements.first ?? .null
      put(value, at: path.dropFirst(), into: &first, as: element)
      if elements.isEmpty { elements = [first] } else { elements[0] = first }
      json = .array(elements)
    default: break
    }
  }

  /// The least that a value of the shape may be.
  private static func empty(_ schema: Schema, depth: Int = 0) -> JSONValue {
    switch schema {
    case .string(let format, let allowed):
      if format?.hasPrefix("date-time") == true { return "2026-01-01T00:00:00Z" }
      return .string(allowed.first ?? "a")
    case .integer(_, let range), .intOrString(let range): return .integer(max(1, range?.lowerBound ?? 1))
    case .number: return 1
    case .boolean: return true
    case .quantity: return "1"
    case .map, .any: return [:]
    case .array(let element, _): return depth > 8 ? [] : [empty(element, depth: depth + 1)]
    case .reference(let name):
      var json: JSONValue = [:]
      for field in SchemaCatalog.standard[name]?.fields ?? [] where field.isRequired && depth < 8 {
        json[field.name] = empty(field.schema, depth: depth + 1)
      }
      return json
    }
  }

  /// Right objects of the kinds that have rules beyond their schemas.
  private static let bases: [String: String] = {
    let container = """
      {"name":"c","image":"a/b:1","resources":{"requests":{"cpu":"1m"},"limits":{"cpu":"1"}},
       "ports":[{"containerPort":80}],"livenessProbe":{"tcpSocket":{"port":80}},"readinessProbe":{"tcpSocket":{"port":80}},
       "startupProbe":{"tcpSocket":{"port":80}},"lifecycle":{"preStop":{"sleep":{"seconds":1}}}}
      """
    let pod = #"{"containers":[\#(container)],"volumes":[{"name":"v"}]}"#
    let workload =
      #"{"spec":{"replicas":0,"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":\#(pod)}}}"#
    return [
      "pods": #"{"spec":\#(pod)}"#, "deployments": workload, "replicasets": workload,
      "services": #"{"spec":{"selector":{"app":"x"},"ports":[{"port":80}]}}"#,
      "persistentvolumes":
        #"{"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"csi":{"driver":"local.nagaya.dev","volumeHandle":"x"}}}"#,
      "persistentvolumeclaims":
        #"{"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"wait","resources":{"requests":{"storage":"1Gi"}}}}"#,
      "nodes":
        #"{"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},"conditions":[{"type":"Ready","status":"True","reason":"R","message":""}]}}"#,
      "applications": #"{"spec":{"image":"a/b:1","replicas":0}}"#,
      "tenants": #"{"spec":{"environments":["dev"]}}"#,
      "storageclasses": #"{"provisioner":"local.nagaya.dev","volumeBindingMode":"WaitForFirstConsumer"}"#,
      "volumeattributesclasses":
        #"{"driverName":"local.nagaya.dev","parameters":{"local.nagaya.dev/readBytesPerSecond":"1M"}}"#,
      "volumesnapshotclasses": #"{"driver":"local.nagaya.dev","deletionPolicy":"Delete"}"#,
      "volumesnapshots": #"{"spec":{"source":{"persistentVolumeClaimName":"x"}}}"#,
      "volumesnapshotcontents":
        #"{"spec":{"driver":"local.nagaya.dev","deletionPolicy":"Delete","source":{"volumeHandle":"x"},"volumeSnapshotRef":{"namespace":"default","name":"x"}}}"#,
      "csistoragecapacities": #"{"storageClassName":"wait","nodeTopology":{},"capacity":"1Gi"}"#,
      "endpointslices": #"{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]}],"ports":[{"port":80}]}"#,
      "rolebindings": #"{"roleRef":{"kind":"ClusterRole","name":"view"}}"#,
      "clusterrolebindings": #"{"roleRef":{"kind":"ClusterRole","name":"view"}}"#,
      "volumepools": #"{"spec":{"nodeName":"a","pool":"p"}}"#,
      "volumemoves": #"{"spec":{"volumeName":"v","targetNode":"a"}}"#,
    ]
  }()
}
