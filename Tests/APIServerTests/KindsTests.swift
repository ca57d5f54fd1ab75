import APIServer
import JSONDocument
import KubernetesAPI
import Testing

/// The kinds as they are declared, without a server around them.
@Suite("Kinds")
struct KindsTests {
  static func definition(_ resource: Resource) throws -> ResourceDefinition {
    try #require(ResourceRegistry.standard.definition(of: resource))
  }

  /// `field: message` of every fault of a new object, after defaults.
  static func faults(_ resource: Resource, _ text: String, old: String? = nil) throws -> [String] {
    let definition = try definition(resource)
    func read(_ text: String) throws -> KubernetesObject {
      var object = KubernetesObject(json: try #require(try YAML.parseAll(text).first))
      definition.applyDefaults(&object)
      return object
    }
    let object = try read(text)
    // Ranges and types stand in the schema; what is required is asked for by the kinds' own rules too.
    let shape = ObjectValidator(catalog: .standard).check(object.json, as: definition.schema).causes
    let causes = shape.filter { $0.kind != .required } + definition.validate(object, try old.map(read))
    var told: Set<String> = []
    return causes.map { "\($0.field): \($0.message)" }.filter { told.insert($0).inserted }
  }

  static func defaulted(_ resource: Resource, _ text: String) throws -> KubernetesObject {
    var object = KubernetesObject(json: try #require(try YAML.parseAll(text).first))
    try definition(resource).applyDefaults(&object)
    return object
  }

  @Test(
    "have schemas, and write nothing into an object twice",
    arguments: ResourceRegistry.standard.definitions.map(\.resource))
  func everyKind(_ resource: Resource) throws {
    let definition = try Self.definition(resource)
    #expect(ResourceRegistry.standard.schemas[definition.schema] != nil)
    #expect(definition.columns.contains { $0.format == "name" })
    var once = KubernetesObject(resource, namespace: resource.isNamespaced ? "n" : nil, name: "a")
    definition.prepareForCreate(&once)
    definition.applyDefaults(&once)
    var twice = once
    definition.applyDefaults(&twice)
    #expect(once == twice)
    let findings = ObjectValidator(catalog: .standard).check(once.json, as: definition.schema)
    #expect(findings.unknownFields == [])
    #expect(!findings.causes.contains { $0.kind != .required })
    for column in definition.columns { _ = column.value(once) }
  }

  static let pod = """
    metadata: {name: p, namespace: n}
    spec: {containers: [{name: a, image: i}]}
    """

  @Test("fill in pods")
  func podDefaults() throws {
    let pod = try Self.defaulted(
      .pods,
      """
      spec:
        serviceAccount: robot
        containers:
        - name: a
          image: reg:5000/x
          ports: [{containerPort: 80}]
          readinessProbe: {httpGet: {port: 80}}
          resources: {limits: {cpu: "1", memory: 1Gi}, requests: {cpu: 500m}}
          env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        - {name: b, image: "x:1.2"}
        volumes: [{name: v}, {name: c, configMap: {name: c}}]
      """)
    let (spec, first) = (pod.spec, pod.spec["containers"][0])
    #expect(
      spec["restartPolicy"] == "Always" && spec["dnsPolicy"] == "ClusterFirst"
        && spec["schedulerName"] == "default-scheduler")
    #expect(spec["terminationGracePeriodSeconds"] == 30 && spec["enableServiceLinks"] == true)
    #expect(spec["serviceAccountName"] == "robot")
    #expect(first["imagePullPolicy"] == "Always")
    #expect(spec["containers"][1]["imagePullPolicy"] == "IfNotPresent")
    #expect(first["ports"][0]["protocol"] == "TCP")
    #expect(first["readinessProbe"]["periodSeconds"] == 10 && first["readinessProbe"]["httpGet"]["path"] == "/")
    #expect(first["resources"]["requests"] == ["cpu": "500m", "memory": "1Gi"])
    #expect(first["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1")
    #expect(spec["volumes"][0]["emptyDir"] == [:] && spec["volumes"][1]["configMap"]["defaultMode"] == 420)
  }

  @Test(
    "pull images always only without a tag, or with the tag latest",
    arguments: [
      ("a", "Always"), ("a:latest", "Always"), ("r:5000/a", "Always"), ("r:5000/a:1", "IfNotPresent"),
      ("a@sha256:00", "IfNotPresent"), ("a:latest@sha256:00", "IfNotPresent"),
    ])
  func pullPolicy(_ image: String, _ policy: String) throws {
    let pod = try Self.defaulted(.pods, "spec: {containers: [{name: a, image: \"\(image)\"}]}")
    #expect(pod.spec["containers"][0]["imagePullPolicy"].string == policy)
  }

  @Test(
    "find the faults of pods",
    arguments: [
      ("{containers: [{name: a, image: i}]}", []),
      ("{containers: []}", ["spec.containers: Required value"]),
      ("{containers: [{name: A_, image: i}]}", ["spec.containers[0].name: Invalid value: \"A_\""]),
      ("{containers: [{name: a}]}", ["spec.containers[0].image: Required value"]),
      ("{containers: [{name: a, image: i}, {name: a, image: i}]}", ["spec.containers[1].name: Duplicate value: \"a\""]),
      (
        "{containers: [{name: a, image: i, ports: [{containerPort: 70000}]}]}",
        ["spec.containers[0].ports[0].containerPort: Invalid value: 70000"]
      ),
      (
        "{containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /v, subPath: \"../\u{301}x\"}]}], volumes: [{name: v, emptyDir: {}}]}",
        ["spec.containers[0].volumeMounts[0].subPath: Invalid value: \"../\u{301}x\": must not contain '..'"]
      ),
      (
        "{containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /v}]}]}",
        ["spec.containers[0].volumeMounts[0].name: Not found: \"v\""]
      ),
      (
        "{containers: [{name: a, image: i, resources: {limits: {cpu: 1}, requests: {cpu: 2}}}]}",
        ["spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"]
      ),
      (
        "{containers: [{name: a, image: i}], restartPolicy: Often}",
        ["spec.restartPolicy: Unsupported value: \"Often\": supported values: \"Always\", \"Never\", \"OnFailure\""]
      ),
      ("{containers: [{name: a, image: i, livenessProbe: {}}]}", ["spec.containers[0].livenessProbe: Required value"]),
      (
        "{containers: [{name: a, image: i, env: [{name: \"\"}, {name: X, value: a, valueFrom: {fieldRef: {fieldPath: x}}}]}]}",
        ["spec.containers[0].env[0].name: Required value", "spec.containers[0].env[1].valueFrom: Invalid value"]
      ),
      (
        "{containers: [{name: a, image: i}], volumes: [{name: v}, {name: v}]}",
        ["spec.volumes[1].name: Duplicate value: \"v\""]
      ),
      (
        "{containers: [{name: a, image: i}], volumes: [{name: v, emptyDir: {}, secret: {secretName: s}}]}",
        ["spec.volumes[0].secret: Forbidden"]
      ),
      (
        "{containers: [{name: a, image: i, volumeDevices: [{name: v, devicePath: /dev/x}]}], volumes: [{name: v, hostPath: {path: /dev/vda}}]}",
        [
          "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use volume source type of PersistentVolumeClaim"
        ]
      ),
      (
        "{containers: [{name: a, image: i, volumeDevices: [{name: v, devicePath: /dev/x}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]}",
        []
      ),
      (
        "{containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /dev/x}], volumeDevices: [{name: v, devicePath: /dev/x}, {name: w, devicePath: /../x}, {}]}], volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]}",
        [
          "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": must not already exist in volumeMounts",
          "spec.containers[0].volumeDevices[0].devicePath: Invalid value: \"/dev/x\": must be unique",
          "spec.containers[0].volumeDevices[1].name: Not found",
          "spec.containers[0].volumeDevices[1].devicePath: Invalid value",
          "spec.containers[0].volumeDevices[2].name: Required value",
          "spec.containers[0].volumeDevices[2].devicePath: Required value",
        ]
      ),
      (
        "{containers: [{name: a, image: i}], ephemeralContainers: [{name: e, image: i}]}",
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"]
      ),
      (
        "{containers: [{name: a, image: i}], tolerations: [{operator: Equal}]}",
        ["spec.tolerations[0].operator: Invalid value"]
      ),
    ] as [(String, [String])])
  func podFaults(_ spec: String, _ expected: [String]) throws {
    let faults = try Self.faults(.pods, "metadata: {name: p}\nspec: \(spec)")
    #expect(faults.count == expected.count, "\(faults)")
    for (fault, beginning) in zip(faults, expected) { #expect(fault.hasPrefix(beginning)) }
  }

  @Test(
    "keep most of a pod as it is",
    arguments: [
      ("{containers: [{name: a, image: j}]}", true), ("{containers: [{name: a, image: i, command: [x]}]}", false),
      ("{containers: [{name: a, image: i}], tolerations: [{operator: Exists}]}", true),
      ("{containers: [{name: a, image: i}], hostname: h}", false),
      ("{containers: [{name: a, image: i}], ephemeralContainers: [{name: e, image: i}]}", false),
      ("{containers: [{name: a, image: i}], nodeName: n}", true),
      ("{containers: [{name: a, image: i}], activeDeadlineSeconds: 5}", true),
      ("{containers: [{name: a, image: i}], terminationGracePeriodSeconds: 1}", false),
    ])
  func podUpdates(_ spec: String, _ isAllowed: Bool) throws {
    let faults = try Self.faults(.pods, "spec: \(spec)", old: "spec: {containers: [{name: a, image: i}]}")
    #expect(faults.isEmpty == isAllowed, "\(faults)")
  }

  @Test(
    "find the faults of other kinds",
    arguments: [
      (
        Resource.deployments,
        "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: [{name: a, image: i}]}}}",
        "spec.template.metadata.labels"
      ),
      (
        .deployments,
        "spec: {selector: {}, template: {metadata: {labels: {a: c}}, spec: {containers: [{name: a, image: i}]}}}",
        "spec.selector"
      ),
      (
        .deployments,
        "spec: {selector: {matchLabels: {a: b}}, replicas: -1, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: i}]}}}",
        "spec.replicas"
      ),
      (
        .deployments,
        "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: i}], ephemeralContainers: [{name: e, image: i}]}}}",
        "spec.template.spec.ephemeralContainers"
      ),
      (.services, "spec: {ports: [{port: 80}, {port: 81}]}", "spec.ports[0].name"),
      (.configMaps, "data: {a/b: x}", "data[a/b]"),
      (.secrets, "data: {a: \"!\"}", "data[a]"),
      (.secrets, "{type: kubernetes.io/tls, data: {tls.crt: YQ==}}", "data[tls.key]"),
      (.persistentVolumeClaims, "spec: {accessModes: [ReadWriteOnce]}", "spec.resources[storage]"),
      (
        .persistentVolumeClaims, "spec: {accessModes: [Sometimes], resources: {requests: {storage: 1Gi}}}",
        "spec.accessModes[0]"
      ),
      (.persistentVolumes, "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}}", "spec"),
      (.storageClasses, "reclaimPolicy: Delete", "provisioner"),
      (.clusterRoles, "rules: [{verbs: [get]}]", "rules[0].apiGroups"),
      (.roles, "rules: [{verbs: [get], nonResourceURLs: [/x]}]", "rules[0].nonResourceURLs"),
      (.roleBindings, "{roleRef: {kind: Tyrant, name: r}}", "roleRef.kind"),
      (.applications, "spec: {image: i, volumes: [{name: v, mountPath: v, size: 1Gi}]}", "spec.volumes[0].mountPath"),
      (.applications, "spec: {image: i, volumes: [{name: v, mountPath: /v, size: 0}]}", "spec.volumes[0].size"),
      (.applications, "spec: {image: i, port: 0}", "spec.port"),
      (.applications, "spec: {port: 80}", "spec.image"),
      (.tenants, "{metadata: {name: t}, spec: {environments: [dev, dev]}}", "spec.environments[1]"),
      (
        .tenants, "{metadata: {name: t}, spec: {environments: [\(String(repeating: "a", count: 62))]}}",
        "spec.environments[0]"
      ),
      (.nodePolicies, "spec: {ulimits: [{type: NOFILES, max: 1}]}", "spec.ulimits[0].type"),
      (.nodePolicies, "spec: {ulimits: [{type: nofile, soft: 5, hard: 4}]}", "spec.ulimits[0].soft"),
      (.nodePolicies, "spec: {ulimits: [{type: nofile, soft: -1}]}", "spec.ulimits[0].soft"),
      (.nodePolicies, "spec: {ulimits: [{type: nofile, max: 1}, {type: RLIMIT_NOFILE, max: 2}]}", "spec.ulimits"),
      (.nodePolicies, "spec: {match: {namespaces: [a*b]}}", "spec.match.namespaces"),
      (.nodePolicies, "spec: {resources: {memory: {max: 1Ki}}}", "spec.resources.memory.max"),
      (
        .nodePolicies, "spec: {mounts: [{name: m, hostPath: /a/../b, mountPath: /m}]}", "spec.mounts[0].hostPath"
      ),
      (.nodePolicies, "spec: {mounts: [{name: m, hostPath: /a, mountPath: /}]}", "spec.mounts[0].mountPath"),
      (.nodePolicies, "spec: {env: [{name: A=B, value: c}]}", "spec.env[0].name"),
      (.nodePolicies, "spec: {volumeIO: [{storageClasses: [a]}]}", "spec.volumeIO[0]"),
      (.volumePools, "spec: {nodeName: n, pool: P, backend: file}", "spec.pool"),
      (.endpointSlices, "{addressType: IPv5, endpoints: []}", "addressType"),
    ])
  func otherFaults(_ resource: Resource, _ text: String, _ field: String) throws {
    let faults = try Self.faults(resource, text)
    #expect(faults.contains { $0.hasPrefix("\(field): ") }, "\(faults)")
  }

  @Test("let claims grow but not shrink, and only when bound")
  func claims() throws {
    func claim(_ size: String, phase: String = "Bound", volume: String = "v") -> String {
      """
      spec: {accessModes: [ReadWriteOnce], volumeName: \(volume), resources: {requests: {storage: \(size)}}}
      status: {phase: \(phase), capacity: {storage: 2Gi}}
      """
    }
    #expect(try Self.faults(.persistentVolumeClaims, claim("3Gi"), old: claim("2Gi")) == [])
    #expect(try Self.faults(.persistentVolumeClaims, claim("1Gi"), old: claim("2Gi")).count == 1)
    #expect(
      try Self.faults(.persistentVolumeClaims, claim("3Gi", phase: "Pending"), old: claim("2Gi", phase: "Pending"))
        .count == 1)
    #expect(try Self.faults(.persistentVolumeClaims, claim("2Gi", volume: "w"), old: claim("2Gi")).count == 1)
    #expect(try Self.faults(.persistentVolumeClaims, claim("2Gi"), old: claim("2Gi", volume: "\"\"")) == [])
  }

  @Test(
    "write the texts of secrets as base64",
    arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("é🏠", "w6nwn4+g")])
  func secrets(_ text: String, _ encoded: String) throws {
    var secret = KubernetesObject(.secrets, namespace: "n", name: "s")
    secret["stringData"]["k"] = .string(text)
    try Self.definition(.secrets).applyDefaults(&secret)
    #expect(secret["data"]["k"].string == encoded)
    #expect(secret["stringData"].isNull && secret["type"] == "Opaque")
    #expect(try Self.definition(.secrets).validate(secret, nil) == [])
  }

  @Test(
    "wait for pods as long as their spec says",
    arguments: [
      ("{nodeName: n}", 30), ("{nodeName: n, terminationGracePeriodSeconds: 5}", 5), ("{}", 0),
    ] as [(String, Int)])
  func grace(_ spec: String, _ seconds: Int) throws {
    let pod = KubernetesObject(json: try #require(try YAML.parseAll("spec: \(spec)").first))
    #expect(try Self.definition(.pods).gracePeriodSeconds(pod) == seconds)
  }
}
