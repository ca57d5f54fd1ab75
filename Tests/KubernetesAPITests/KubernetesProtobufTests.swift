import JSONDocument
import KubernetesAPI
import Testing

@Suite("The protobuf form of the API")
struct KubernetesProtobufTests {
  /// A field of a message: number, and bytes (text or a message) or a number.
  static func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    varint(UInt64(number << 3 | 2)) + varint(UInt64(content.count)) + content
  }
  static func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
  static func field(_ number: Int, number value: Int64) -> [UInt8] {
    varint(UInt64(number << 3)) + varint(UInt64(bitPattern: value))
  }

  static func varint(_ value: UInt64) -> [UInt8] {
    var (value, bytes): (UInt64, [UInt8]) = (value, [])
    while value >= 0x80 {
      bytes.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    return bytes + [UInt8(value)]
  }

  static func envelope(_ apiVersion: String, _ kind: String, _ message: [UInt8]) -> [UInt8] {
    Array("k8s\0".utf8) + field(1, field(1, apiVersion) + field(2, kind)) + field(2, message)
  }

  @Test("reads a deployment as kubectl create writes it")
  func deployment() throws {
    let metadata =
      Self.field(1, "web") + Self.field(3, "") + Self.field(7, number: 0) + Self.field(8, [])
      + Self.field(11, Self.field(1, "app") + Self.field(2, "web"))
    let container =
      Self.field(1, "a") + Self.field(2, "img") + Self.field(3, "sh") + Self.field(3, "-c")
      + Self.field(6, Self.field(1, "") + Self.field(2, number: 0) + Self.field(3, number: 80))
      + Self.field(
        8,
        Self.field(
          1,
          Self.field(1, "cpu") + Self.field(2, Self.field(1, "500m")))) + Self.field(16, number: 0)
    let volume = Self.field(1, "v") + Self.field(2, Self.field(2, Self.field(1, "")))
    let podSpec =
      Self.field(1, volume) + Self.field(2, container) + Self.field(4, number: 0) + Self.field(11, number: 0)
    let template = Self.field(1, metadata) + Self.field(2, podSpec)
    let rolling =
      Self.field(1, Self.field(1, number: 1) + Self.field(2, number: 0) + Self.field(3, "25%"))
      + Self.field(2, Self.field(1, number: 0) + Self.field(2, number: 0) + Self.field(3, ""))
    let spec =
      Self.field(1, number: 0) + Self.field(2, Self.field(1, Self.field(1, "app") + Self.field(2, "web")))
      + Self.field(3, template) + Self.field(4, Self.field(1, "RollingUpdate") + Self.field(2, rolling))
    let bytes = Self.envelope(
      "apps/v1", "Deployment", Self.field(1, metadata) + Self.field(2, spec) + Self.field(3, []))
    let object = try KubernetesProtobuf.decode(bytes, catalog: .standard)
    #expect(object["apiVersion"] == "apps/v1" && object["kind"] == "Deployment")
    #expect(object["metadata"] == ["name": "web", "labels": ["app": "web"]])
    #expect(object["status"].isNull)
    // An optional zero counts; others are as good as missing.
    #expect(object["spec"]["replicas"] == 0)
    #expect(object["spec"]["strategy"]["rollingUpdate"] == ["maxUnavailable": "25%", "maxSurge": 0])
    let read = object["spec"]["template"]["spec"]
    #expect(
      read["containers"][0] == [
        "name": "a", "image": "img", "command": ["sh", "-c"], "ports": [["containerPort": 80]],
        "resources": ["limits": ["cpu": "500m"]],
      ])
    #expect(read["volumes"] == [["name": "v", "emptyDir": [:]]])
    #expect(read["terminationGracePeriodSeconds"] == 0 && read["hostNetwork"].isNull)
    #expect(ObjectValidator(catalog: .standard).check(object, as: "io.k8s.api.apps.v1.Deployment").isEmpty)
  }

  @Test("reads bytes, times and lists within maps")
  func others() throws {
    let secret = Self.envelope(
      "v1", "Secret", Self.field(2, Self.field(1, "k") + Self.field(2, [0, 255])) + Self.field(3, "Opaque"))
    #expect(try KubernetesProtobuf.decode(secret, catalog: .standard)["data"] == ["k": "AP8="])
    let time = Self.field(1, number: 1_700_000_000) + Self.field(2, number: 5000)
    let lease = Self.envelope("coordination.k8s.io/v1", "Lease", Self.field(2, Self.field(4, time)))
    #expect(
      try KubernetesProtobuf.decode(lease, catalog: .standard)["spec"] == ["renewTime": "2023-11-14T22:13:20.000005Z"])
    let extra = Self.field(5, Self.field(1, "k") + Self.field(2, Self.field(1, "a") + Self.field(1, "b")))
    let review = Self.envelope("authorization.k8s.io/v1", "SubjectAccessReview", Self.field(2, extra))
    #expect(try KubernetesProtobuf.decode(review, catalog: .standard)["spec"] == ["extra": ["k": ["a", "b"]]])
  }

  @Test("keeps the zeros of fields that must be there, and of fields that are only written when set")
  func zeros() throws {
    let header = Self.field(1, "X") + Self.field(2, "")
    let port = Self.field(1, number: 0) + Self.field(2, number: 80)
    let get = Self.field(1, "") + Self.field(2, port) + Self.field(5, header)
    let container =
      Self.field(1, "a") + Self.field(10, Self.field(1, Self.field(2, get)) + Self.field(2, number: 0))
      + Self.field(15, Self.field(6, number: 0) + Self.field(1, []))
    let iscsi = Self.field(1, "t") + Self.field(2, "q") + Self.field(3, number: 0)
    let volume = Self.field(1, "v") + Self.field(2, Self.field(8, iscsi))
    let spec = Self.field(1, volume) + Self.field(2, container) + Self.field(21, number: 0)
    let pod = try KubernetesProtobuf.decode(Self.envelope("v1", "Pod", Self.field(2, spec)), catalog: .standard)
    #expect(
      pod["spec"] == [
        "volumes": [["name": "v", "iscsi": ["targetPortal": "t", "iqn": "q", "lun": 0]]],
        "containers": [
          [
            "name": "a", "livenessProbe": ["httpGet": ["port": 80, "httpHeaders": [["name": "X", "value": ""]]]],
            "securityContext": ["readOnlyRootFilesystem": false, "capabilities": [:]],
          ]
        ],
        "automountServiceAccountToken": false,
      ])
  }

  @Test("passes over fields that it does not know, as Kubernetes does")
  func unknownFields() throws {
    let unknown =
      Self.field(900, "x") + Self.field(901, number: 7) + Self.varint(902 << 3 | 1) + Array(repeating: 1, count: 8)
      + Self.varint(903 << 3 | 5) + [1, 2, 3, 4]
    let body = Self.envelope("v1", "ConfigMap", unknown + Self.field(1, unknown + Self.field(1, "a")))
    #expect(
      try KubernetesProtobuf.decode(body, catalog: .standard)
        == ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"]])
  }

  @Test("refuses messages nested deeper than allowed")
  func depth() throws {
    let container = Self.field(8, Self.field(1, Self.field(1, "cpu")))
    let pod = Self.envelope("v1", "Pod", Self.field(2, Self.field(2, container)))
    _ = try KubernetesProtobuf.decode(pod, catalog: .standard, limits: JSONLimits(depth: 3))
    #expect(throws: KubernetesProtobuf.Failure.self) {
      try KubernetesProtobuf.decode(pod, catalog: .standard, limits: JSONLimits(depth: 2))
    }
  }

  @Test("numbers every field of every schema of Kubernetes, and none twice")
  func everyFieldHasItsNumber() {
    // Snapshots are custom resources, which have no such form.
    for object in SchemaCatalog.standard.objects.values
    where object.name.hasPrefix("io.k8s.") && !object.name.hasPrefix("io.k8s.storage.snapshot.") {
      let places = object.fields.filter { $0.name != "apiVersion" && $0.name != "kind" || $0.wire != nil }
      for field in places { #expect(field.wire != nil, "\(object.name).\(field.name) has no number") }
      #expect(Set(places.compactMap(\.wire?.numbers)).count == places.count, "\(object.name) uses a number twice")
    }
  }

  @Test("refuses what is none, and kinds without that form")
  func refuses() {
    for bytes in [
      [], Array("k8s".utf8), Array("{}".utf8), Array("k8s\0\u{0A}\u{7F}".utf8), Self.envelope("v1", "Pod", [0x0B]),
      Self.envelope("v1", "Pod", [0x02, 0x00]),
      Self.envelope("v1", "Pod", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
    ] {
      #expect(throws: KubernetesProtobuf.Failure.self) { try KubernetesProtobuf.decode(bytes, catalog: .standard) }
    }
    #expect(throws: KubernetesProtobuf.Failure.noProtobufForm(kind: "Application")) {
      try KubernetesProtobuf.decode(Self.envelope("nagaya.dev/v1alpha1", "Application", []), catalog: .standard)
    }
  }

  @Test("survives broken bytes", arguments: 0..<20)
  func fuzz(_ seed: UInt64) {
    var generator = TextGenerator(seed: seed)
    let container = Self.field(1, "a") + Self.field(7, Self.field(1, "X") + Self.field(2, "y"))
    let whole = Self.envelope("v1", "Pod", Self.field(1, Self.field(1, "p")) + Self.field(2, Self.field(2, container)))
    for _ in 0..<500 {
      var bytes = whole
      for _ in 0...generator.number(below: 4) {
        bytes[4 + generator.number(below: bytes.count - 4)] = UInt8(generator.number(below: 256))
      }
      _ = try? KubernetesProtobuf.decode(bytes, catalog: .standard)
      let noise = (0..<generator.number(below: 60)).map { _ in
        UInt8(generator.number(below: generator.number(below: 256) + 1))
      }
      _ = try? KubernetesProtobuf.decode(Self.envelope("apps/v1", "Deployment", noise), catalog: .standard)
    }
  }
}
