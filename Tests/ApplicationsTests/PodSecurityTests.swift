import Applications
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Tenancy
import Testing

@Suite("Pods of tenants")
struct PodSecurityTests {
  struct Case: Sendable, CustomTestStringConvertible {
    /// Members of a pod's spec.
    let spec: String
    /// Fields that are refused; empty: none.
    let fields: [String]
    var testDescription: String { spec }

    init(_ spec: String, _ fields: String...) { (self.spec, self.fields) = (spec, fields) }
    /// The first container's members.
    init(container: String, _ fields: String...) {
      self.init(members: "containers: [{name: a, image: i, \(container)}]", fields.map { "containers[0].\($0)" })
    }
    private init(members: String, _ fields: [String]) { (self.spec, self.fields) = (members, fields) }
  }

  static let cases: [Case] = [
    // The node's own.
    Case("hostNetwork: true", "hostNetwork"), Case("hostPID: true", "hostPID"), Case("hostIPC: true", "hostIPC"),
    Case("hostNetwork: false, hostPID: null"),
    Case("securityContext: {windowsOptions: {hostProcess: true}}", "securityContext.windowsOptions.hostProcess"),
    Case("volumes: [{name: a, emptyDir: {}}, {name: b, hostPath: {path: /}}]", "volumes[1].hostPath"),
    Case("volumes: [{name: b, hostPath: {}}]", "volumes[0].hostPath"),
    Case(
      "volumes: [{name: a, persistentVolumeClaim: {claimName: c}}, {name: b, secret: {secretName: s}}, {name: c, configMap: {name: m}}]"
    ),
    Case(container: "ports: [{containerPort: 1}, {containerPort: 2, hostPort: 2}]", "ports[1].hostPort"),
    Case(container: "ports: [{containerPort: 1, hostPort: 0}]"),
    Case("nodeName: n", "nodeName"), Case("nodeSelector: {disk: fast}"),
    Case("priorityClassName: system-node-critical", "priorityClassName"), Case("priorityClassName: mine"),
    Case("priority: 2000001000", "priority"), Case("priority: 1000000000"), Case("priority: -5"),
    // What a container may do.
    Case(container: "securityContext: {privileged: true}", "securityContext.privileged"),
    Case(container: "securityContext: {privileged: false, runAsUser: 0, allowPrivilegeEscalation: true}"),
    Case(
      "initContainers: [{name: a, securityContext: {privileged: true}}]",
      "initContainers[0].securityContext.privileged"),
    Case(
      "ephemeralContainers: [{name: a, securityContext: {privileged: true}}]",
      "ephemeralContainers[0].securityContext.privileged"),
    Case(
      container: "securityContext: {capabilities: {add: [CHOWN, SYS_ADMIN, ALL, chown], drop: [ALL]}}",
      "securityContext.capabilities.add[1]", "securityContext.capabilities.add[2]",
      "securityContext.capabilities.add[3]"),
    Case(container: "securityContext: {capabilities: {add: [NET_BIND_SERVICE, SYS_CHROOT]}}"),
    Case(container: "securityContext: {procMount: Unmasked}", "securityContext.procMount"),
    Case(container: "securityContext: {procMount: Default}"),
    Case("securityContext: {seccompProfile: {type: Unconfined}}", "securityContext.seccompProfile.type"),
    Case(
      container: "securityContext: {seccompProfile: {type: Unconfined}}", "securityContext.seccompProfile.type"),
    Case(container: "securityContext: {seccompProfile: {type: RuntimeDefault}}"),
    Case("securityContext: {appArmorProfile: {type: Unconfined}}", "securityContext.appArmorProfile.type"),
    Case(
      container: "securityContext: {appArmorProfile: {type: Unconfined}}", "securityContext.appArmorProfile.type"),
    Case("securityContext: {appArmorProfile: {type: Localhost, localhostProfile: p}}"),
    Case(
      "securityContext: {seLinuxOptions: {type: spc_t, user: system_u, role: r, level: s0}}",
      "securityContext.seLinuxOptions.type", "securityContext.seLinuxOptions.role",
      "securityContext.seLinuxOptions.user"),
    Case(container: "securityContext: {seLinuxOptions: {type: container_t, level: s0}}"),
    Case(
      "securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: a}, {name: kernel.msgmax, value: b}]}",
      "securityContext.sysctls[1].name"),
    // The node's network, by its agent.
    Case(container: "livenessProbe: {httpGet: {port: 1, host: 169.254.169.254}}", "livenessProbe.httpGet.host"),
    Case(container: "readinessProbe: {tcpSocket: {port: 1, host: h}}", "readinessProbe.tcpSocket.host"),
    Case(container: "startupProbe: {tcpSocket: {port: 1, host: h}}", "startupProbe.tcpSocket.host"),
    Case(container: "lifecycle: {postStart: {httpGet: {port: 1, host: h}}}", "lifecycle.postStart.httpGet.host"),
    Case(container: "lifecycle: {preStop: {tcpSocket: {port: 1, host: h}}}", "lifecycle.preStop.tcpSocket.host"),
    Case(container: "readinessProbe: {httpGet: {port: 1, path: /x, host: \"\"}}, livenessProbe: {grpc: {port: 2}}"),
    // Everything at once is told of at once.
    Case("hostPID: true, nodeName: n, hostIPC: true", "hostIPC", "hostPID", "nodeName"),
  ]

  static func spec(_ text: String) throws -> JSONValue { try #require(try YAML.parseAll("{\(text)}").first) }

  @Test("keep to the rules, each with its field named", arguments: cases)
  func rules(test: Case) throws {
    let spec = try Self.spec(test.spec)
    let faults = PodSecurity.faults(of: ["spec": spec])
    #expect(faults.map(\.field) == test.fields.map { "spec.\($0)" }, "\(faults)")
    #expect(faults.allSatisfy { $0.kind == .forbidden && $0.message.hasPrefix("Forbidden: ") })
    let inTemplate = PodSecurity.faults(of: ["spec": spec], field: "spec.template")
    #expect(inTemplate.map(\.field) == test.fields.map { "spec.template.spec.\($0)" })
  }

  @Test(
    "keep the node's AppArmor profile by annotation too",
    arguments: [("unconfined", false), ("runtime/default", true), ("localhost/p", true), ("", true)])
  func annotations(value: String, isAllowed: Bool) {
    var pod = KubernetesObject(.pods, name: "p")
    pod.annotations = ["container.apparmor.security.beta.kubernetes.io/a": value, "other": "unconfined"]
    #expect(PodSecurity.faults(of: pod.json).isEmpty == isAllowed)
  }

  struct Write: Sendable, CustomTestStringConvertible {
    let what: String
    var resource = Resource.pods
    var old: String?
    var new: String?
    var user = UserInfo(name: "eve")
    let isAllowed: Bool
    var testDescription: String { what }
  }

  static let root = UserInfo(name: "root", groups: ["system:masters"])
  static let writes: [Write] = [
    Write(what: "a plain pod", new: "restartPolicy: Never", isAllowed: true),
    Write(what: "a bad pod", new: "hostPID: true", isAllowed: false),
    Write(what: "a bad pod by a controller", new: "hostPID: true", user: .component("controllers"), isAllowed: false),
    Write(what: "a bad pod by an administrator", new: "hostPID: true", user: root, isAllowed: true),
    Write(what: "a bad deployment", resource: .deployments, new: "hostPID: true", isAllowed: false),
    Write(what: "a bad set of replicas", resource: .replicaSets, new: "hostPID: true", isAllowed: false),
    Write(
      what: "a bad deployment by an administrator, whose pods a controller would make", resource: .deployments,
      new: "hostPID: true", user: root, isAllowed: false),
    Write(what: "another kind", resource: .configMaps, new: "hostPID: true", isAllowed: true),
    Write(what: "the deletion of a bad pod", old: "hostPID: true", isAllowed: true),
    Write(what: "a bad pod as it was", old: "hostPID: true", new: "hostPID: true", isAllowed: true),
    Write(
      what: "a bad pod with another image", old: "hostPID: true, containers: [{image: a}]",
      new: "hostPID: true, containers: [{image: b}]", isAllowed: false),
    Write(
      what: "a bad deployment as it was", resource: .deployments, old: "hostPID: true", new: "hostPID: true",
      isAllowed: true),
    Write(
      what: "a deployment that turns bad", resource: .deployments, old: "hostPID: false", new: "hostPID: true",
      isAllowed: false),
    Write(what: "a node by the scheduler", old: "", new: "nodeName: n", user: .component("scheduler"), isAllowed: true),
    Write(
      what: "a node for an administrator's pod", old: "hostPID: true", new: "hostPID: true, nodeName: n",
      user: .component("scheduler"), isAllowed: true),
    Write(what: "a node by a user", old: "", new: "nodeName: n", isAllowed: false),
    Write(what: "a new image of a pod with a node", old: "nodeName: n", new: "nodeName: n, x: 1", isAllowed: true),
    Write(
      what: "a node in a template", resource: .deployments, old: "", new: "nodeName: n", user: root, isAllowed: false),
  ]

  @Test("are judged by their namespace, not by who makes them", arguments: writes)
  func admission(write: Write) throws {
    func object(_ text: String) throws -> KubernetesObject {
      var object = KubernetesObject(write.resource, namespace: "shop-dev", name: "p")
      let spec = try Self.spec(text)
      if write.resource == .pods { object.spec = spec } else { object.spec["template"]["spec"] = spec }
      return object
    }
    let refusal = PodSecurityAdmission().refusal(
      old: try write.old.map(object), new: try write.new.map(object), of: write.resource, by: write.user)
    #expect((refusal == nil) == write.isAllowed, "\(refusal?.message ?? "")")
    #expect(refusal?.causes.isEmpty != true)
    #expect(refusal.map { $0.code == 403 } != false)
  }

  @Test("of an app in a restricted environment keep to the level")
  func restrictedApp() throws {
    var app = KubernetesObject(.applications, namespace: "shop-prod", name: "till")
    app.spec = ["image": "i"]
    let plain = DesiredObjects(for: Application(app)).deployment.spec["template"]
    let hardened = DesiredObjects(for: Application(app), isRestricted: true).deployment.spec["template"]
    #expect(!PodSecurity.faults(of: plain, level: .restricted).isEmpty)
    #expect(PodSecurity.faults(of: hardened, level: .restricted).isEmpty)
  }

  static let levels: [(String?, PodSecurityLevel)] = [
    (nil, .baseline), ("", .baseline), ("baseline", .baseline), ("privileged", .baseline), ("restricted", .restricted),
    ("Restricted", .restricted), ("none", .restricted),
  ]

  @Test("are held to the level of their namespace; an unknown word is the stricter one", arguments: levels)
  func level(word: String?, level: PodSecurityLevel) {
    var namespace = KubernetesObject(.namespaces, name: "shop-dev", labels: [Tenant.label: "shop"])
    namespace.labels[PodSecurityLevel.label] = word
    #expect(PodSecurityLevel(of: namespace) == level)
    namespace.labels[Tenant.label] = nil
    #expect(PodSecurityLevel(of: namespace) == nil)
  }
}
