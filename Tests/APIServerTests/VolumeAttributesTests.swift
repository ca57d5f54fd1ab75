import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// Volume attributes classes, and who names them.
struct VolumeAttributesTests {
  private static func attributesClass(
    _ name: String, _ parameters: [String: String], driver: String = "local.nagaya.dev"
  )
    -> KubernetesObject
  {
    var object = KubernetesObject(.volumeAttributesClasses, name: name)
    object["driverName"] = .string(driver)
    object["parameters"] = .strings(parameters)
    return object
  }

  private static let fast = ["local.nagaya.dev/readBytesPerSecond": "20M"]

  @Test(
    arguments: [
      ("{driverName: local.nagaya.dev, parameters: {local.nagaya.dev/readBytesPerSecond: 20M}}", nil),
      ("{driverName: other.example, parameters: {iops: '5'}}", nil),
      ("{parameters: {a: b}}", "driverName: Required value"),
      ("{driverName: 'no name', parameters: {a: b}}", "driverName: Invalid value"),
      ("{driverName: other.example}", "parameters: Required value: must contain at least one key/value pair"),
      ("{driverName: other.example, parameters: {}}", "parameters: Required value"),
      ("{driverName: other.example, parameters: {'': b}}", "parameters: Invalid value"),
      ("{driverName: local.nagaya.dev, parameters: {iops: '5'}}", "parameters[iops]: Invalid value"),
      (
        "{driverName: local.nagaya.dev, parameters: {local.nagaya.dev/readBytesPerSecond: fast}}",
        "parameters[local.nagaya.dev/readBytesPerSecond]: Invalid value: \"fast\": must be a quantity"
      ),
      (
        "{driverName: local.nagaya.dev, parameters: {local.nagaya.dev/pool: fast}}",
        "parameters[local.nagaya.dev/pool]: Invalid value: \"fast\": can't change"
      ),
    ] as [(String, String?)])
  func `a class is taken, or refused with field and remedy`(_ text: String, _ fault: String?) throws {
    let faults = try KindsTests.faults(.volumeAttributesClasses, text)
    if let fault { #expect(faults.contains { $0.hasPrefix(fault) }, "\(faults)") } else { #expect(faults == []) }
  }

  @Test(
    arguments: [
      (
        "{local.nagaya.dev/pool: default, csi.storage.k8s.io/fstype: xfs, local.nagaya.dev/writeBytesPerSecond: 8Mi}",
        nil
      ),
      ("{local.nagaya.dev/writeBytesPerSecond: '0'}", "parameters[local.nagaya.dev/writeBytesPerSecond]"),
      ("{local.nagaya.dev/writeBytes: 8Mi}", "parameters[local.nagaya.dev/writeBytes]"),
    ] as [(String, String?)])
  func `parameters of storage classes are looked at, too`(_ parameters: String, _ fault: String?) throws {
    let text = "{provisioner: local.nagaya.dev, parameters: \(parameters)}"
    let faults = try KindsTests.faults(.storageClasses, text)
    if let fault { #expect(faults.contains { $0.hasPrefix(fault) }, "\(faults)") } else { #expect(faults == []) }
    // Another driver's are its own.
    let others = text.replacing("provisioner: local.nagaya.dev", with: "provisioner: other.example")
    #expect(try KindsTests.faults(.storageClasses, others) == [])
    // What is stored stays as it is.
    #expect(try KindsTests.faults(.storageClasses, text, old: text) == [])
  }

  @Test func `a class stays as it is`() throws {
    let old = "{driverName: a.example, parameters: {a: b}}"
    for changed in ["{driverName: b.example, parameters: {a: b}}", "{driverName: a.example, parameters: {a: c}}"] {
      let faults = try KindsTests.faults(.volumeAttributesClasses, changed, old: old)
      #expect(faults.count == 1 && faults[0].contains("are forbidden."), "\(faults)")
    }
    #expect(try KindsTests.faults(.volumeAttributesClasses, old, old: old) == [])
  }

  private static func claim(_ attributes: String?, _ status: String) -> String {
    """
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}\(attributes.map { ", volumeAttributesClassName: \($0)" } ?? "")}
    status: {\(status)}
    """
  }

  @Test(
    arguments: [
      (nil, "fast", "phase: Bound", true), ("fast", "slow", "phase: Bound", true),
      (nil, "fast", "phase: Pending", false),
      ("fast", "slow", "phase: Pending", false), ("fast", nil, "phase: Bound", true),
      ("fast", nil, "phase: Bound, currentVolumeAttributesClassName: fast", false),
      ("fast", "''", "phase: Bound, currentVolumeAttributesClassName: fast", false),
      ("fast", "slow", "phase: Bound, currentVolumeAttributesClassName: fast", true),
      ("fast", "No_Name", "phase: Bound", false),
    ] as [(String?, String?, String, Bool)])
  func `a bound claim may name another class, and takes none back that is in force`(
    _ row: (String?, String?, String, Bool)
  ) throws {
    let faults = try KindsTests.faults(
      .persistentVolumeClaims, Self.claim(row.1, row.2), old: Self.claim(row.0, row.2))
    #expect(faults.isEmpty == row.3, "\(row) \(faults)")
  }

  @Test func `a volume that names a class is of a driver, and keeps one`() throws {
    let rest = "capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce]"
    let csi = "csi: {driver: d, volumeHandle: h}"
    let plain = "spec: {\(rest), \(csi)}"
    let classed = "spec: {\(rest), \(csi), volumeAttributesClassName: fast}"
    #expect(try KindsTests.faults(.persistentVolumes, classed, old: plain) == [])
    #expect(try KindsTests.faults(.persistentVolumes, plain, old: classed).count == 1)
    let local = "spec: {\(rest), local: {path: /a}, nodeAffinity: {}, volumeAttributesClassName: fast}"
    #expect(try KindsTests.faults(.persistentVolumes, local).contains { $0.hasPrefix("spec.csi: Required value") })
  }

  @Test func `it is served as kubectl asks for it`() async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default"]) { server in
      let client = server.client()
      try await client.create(Self.attributesClass("fast", Self.fast), as: .volumeAttributesClasses)
      let table = try await client.transport.send(
        APIRequest(
          .get, "/apis/storage.k8s.io/v1/volumeattributesclasses",
          accept: "application/json;as=Table;v=v1;g=meta.k8s.io"))
      let json = try JSONValue(parsing: try await table.body.collect())
      #expect(json["columnDefinitions"].elements.compactMap { $0["name"].string } == ["Name", "DriverName", "Age"])
      #expect(json["rows"][0]["cells"][1] == "local.nagaya.dev")
      var changed = try await client.get(.volumeAttributesClasses, name: "fast")
      changed["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "30M"]
      let other = changed
      let refusal = await #expect(throws: APIStatus.self) {
        try await client.update(other, as: .volumeAttributesClasses)
      }
      #expect(refusal?.code == 422)
    }
  }

  @Test func `a node tells of its pods by one annotation with their status`() async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default"]) { server in
      let client = server.client()
      var pod = KubernetesObject(.pods, namespace: "default", name: "p")
      pod.spec["containers"] = [["name": "c", "image": "i"]]
      pod.annotations = ["mine": "1"]
      try await client.create(pod, as: .pods)
      let written = try await client.patch(
        .pods, namespace: "default", name: "p", subresource: "status",
        ["metadata": ["annotations": [HookLimits.annotation: "{}"]], "status": ["phase": "Running"]])
      #expect(
        written.annotations == ["mine": "1", HookLimits.annotation: "{}"] && written.status["phase"] == "Running")
      // Nothing else of the metadata, nor of the spec.
      let same = try await client.patch(
        .pods, namespace: "default", name: "p", subresource: "status",
        ["metadata": ["labels": ["a": "b"], "finalizers": ["x/y"]], "spec": ["nodeName": "n"]])
      #expect(same.labels.isEmpty && same.finalizers.isEmpty && same.spec["nodeName"].isNull)
    }
  }
}
