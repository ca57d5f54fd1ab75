import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import APIServer

@Suite struct GateRBACTests {
  private static func rules(_ groups: JSONValue, _ resources: JSONValue, _ verbs: JSONValue, names: JSONValue = nil)
    -> JSONValue
  {
    var rule: JSONValue = ["apiGroups": groups, "resources": resources, "verbs": verbs]
    if !names.isNull { rule["resourceNames"] = names }
    return rule
  }

  private static let world: [(Resource, KubernetesObject)] =
    DefaultRoles.objects.map { ($0.kind == "ClusterRole" ? Resource.clusterRoles : .clusterRoleBindings, $0) } + [
      GateObjects.role("pods", in: "blue", rules([""], ["pods"], ["get", "list"])),
      GateObjects.bind("pods", kind: "Role", in: "blue", GateObjects.user("ann")),
      GateObjects.role("logs", rules([""], ["pods/log"], ["get"])),
      GateObjects.bind("logs", in: "blue", GateObjects.group("readers")),
      GateObjects.role("one", rules([""], ["configmaps"], ["get", "update"], names: ["mine"])),
      GateObjects.bind("one", in: "blue", GateObjects.account("green", "robot")),
      GateObjects.role("scales", rules(["*"], ["*/scale"], ["*"])),
      GateObjects.bind("scales", GateObjects.user("scaler")),
      GateObjects.role("paths", ["nonResourceURLs": ["/metrics", "/debug/*"], "verbs": ["get"]]),
      GateObjects.bind("paths", GateObjects.user("monitor")),
      GateObjects.bind("view", in: "blue", GateObjects.user("viewer")),
      GateObjects.bind("edit", in: "blue", GateObjects.user("editor")),
      GateObjects.bind("admin", in: "blue", GateObjects.user("boss")),
      GateObjects.bind("absent", GateObjects.user("ann")),
      GateObjects.role("part", rules(["x.test"], ["things"], ["get"]), labels: ["aggregate": "yes"]),
      aggregated, GateObjects.bind("whole", GateObjects.user("collector")),
    ]

  private static var aggregated: (Resource, KubernetesObject) {
    var (resource, role) = GateObjects.role("whole", rules(["*"], ["*"], ["*"]))
    role["aggregationRule"] = ["clusterRoleSelectors": [["matchLabels": ["aggregate": "yes"]]]]
    return (resource, role)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let user: String
    let verb: String
    /// `group/resource/subresource`, or a path with `!` before it.
    let what: String
    let namespace: String
    let name: String
    let isAllowed: Bool
    init(_ user: String, _ verb: String, _ what: String, in namespace: String = "", _ isAllowed: Bool) {
      self.init(user, verb, what, in: namespace, "", isAllowed)
    }
    init(_ user: String, _ verb: String, _ what: String, in namespace: String = "", _ name: String, _ isAllowed: Bool) {
      (self.user, self.verb, self.what, self.namespace, self.name, self.isAllowed) = (
        user, verb, what, namespace, name, isAllowed
      )
    }
    var testDescription: String { "\(user) \(verb) \(what) \(namespace)/\(name) \(isAllowed)" }
  }

  private static let cases: [Case] = [
    Case("ann", "list", "/pods", in: "blue", true), Case("ann", "list", "/pods", in: "green", false),
    Case("ann", "list", "/pods", false), Case("ann", "delete", "/pods", in: "blue", "x", false),
    Case("ann", "get", "/pods/log", in: "blue", "x", false), Case("ann", "list", "apps/pods", in: "blue", false),
    Case("bob@readers", "get", "/pods/log", in: "blue", "x", true),
    Case("bob@readers", "get", "/pods", in: "blue", "x", false),
    Case("bob", "get", "/pods/log", in: "blue", "x", false),
    Case("system:serviceaccount:green:robot", "get", "/configmaps", in: "blue", "mine", true),
    Case("system:serviceaccount:green:robot", "get", "/configmaps", in: "blue", "other", false),
    Case("system:serviceaccount:green:robot", "list", "/configmaps", in: "blue", false),
    Case("system:serviceaccount:blue:robot", "get", "/configmaps", in: "blue", "mine", false),
    Case("scaler", "update", "apps/deployments/scale", in: "green", "x", true),
    Case("scaler", "update", "apps/deployments", in: "green", "x", false),
    Case("monitor", "get", "!/metrics", true), Case("monitor", "get", "!/debug/pprof/heap", true),
    Case("monitor", "get", "!/metricsx", false), Case("monitor", "post", "!/metrics", false),
    Case("viewer", "get", "nagaya.dev/applications", in: "blue", "a", true),
    Case("viewer", "create", "nagaya.dev/applications", in: "blue", false),
    Case("viewer", "get", "/secrets", in: "blue", "s", false), Case("viewer", "get", "/namespaces", "blue", true),
    Case("viewer", "get", "/namespaces", "green", false), Case("viewer", "list", "/namespaces", false),
    Case("editor", "create", "nagaya.dev/applications", in: "blue", true),
    Case("editor", "get", "/secrets", in: "blue", "s", true),
    Case("editor", "create", "rbac.authorization.k8s.io/roles", in: "blue", false),
    Case("editor", "update", "/resourcequotas", in: "blue", "q", false),
    Case("boss", "create", "rbac.authorization.k8s.io/rolebindings", in: "blue", true),
    Case("boss", "create", "rbac.authorization.k8s.io/clusterroles", false),
    Case("boss", "delete", "/namespaces", "blue", false),
    Case("collector", "get", "x.test/things", in: "green", "t", true),
    Case("collector", "get", "/pods", in: "green", "t", false),
    Case("root@system:masters", "delete", "/nodes", "n", true), Case("nobody", "get", "!/api", false),
    Case("somebody@system:authenticated", "get", "!/api/v1", true),
    Case("x@system:unauthenticated", "get", "!/version", true),
  ]

  @Test(arguments: cases)
  func rulesDecide(_ test: Case) async {
    let authorizer = RBACAuthorizer(objects: GateObjects(Self.world))
    let decision = await authorizer.decide(Self.access(test))
    #expect(decision.isAllowed == test.isAllowed, "\(decision.reason)")
    #expect(await authorizer.decide(Self.access(test)) == decision)
  }

  private static func access(_ test: Case) -> AccessAttributes {
    let parts = test.user.split(separator: "@").map(String.init)
    let user = UserInfo(name: parts[0], groups: Array(parts.dropFirst()))
    if test.what.hasPrefix("!") {
      return AccessAttributes(user: user, verb: test.verb, nonResourcePath: String(test.what.dropFirst()))
    }
    let what = test.what.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    return AccessAttributes(
      user: user, verb: test.verb, group: what[0], version: "v1", resource: what[1],
      subresource: what.count > 2 ? what[2] : "", namespace: test.namespace, name: test.name)
  }

  @Test func rulesAreCompiledOnlyWhenTheyChangeAndDecisionsFollowAtOnce() async {
    let objects = GateObjects(Self.world)
    let authorizer = RBACAuthorizer(objects: objects)
    let access = Self.access(Case("late", "list", "/pods", in: "blue", true))
    for _ in 0..<100 { #expect(await !authorizer.decide(access).isAllowed) }
    #expect(authorizer.compilations == 1)
    let (resource, binding) = GateObjects.bind("pods", kind: "Role", in: "blue", GateObjects.user("late"))
    objects.add(resource, binding)
    #expect(await authorizer.decide(access).isAllowed)
    #expect(authorizer.compilations == 2)
    objects.removeAll(.roleBindings)
    #expect(await !authorizer.decide(access).isAllowed)
  }

  @Test func `what is compiled from changes is what is compiled from everything`() {
    var random = SeededGenerator(seed: 11)
    let objects = GateObjects(Self.world)
    let authorizer = RBACAuthorizer(objects: objects)
    let users = ["a", "b", "boss"].map { UserInfo(name: $0, groups: ["g"]) }
    let namespaces: [String?] = [nil, "blue", "green"]
    for _ in 0..<300 {
      let name = "r\(Int.random(in: 0..<3, using: &random))"
      let namespace = namespaces[Int.random(in: 0..<3, using: &random)]
      let verb: JSONValue = ["get", "list", "*"][Int.random(in: 0..<3, using: &random)]
      let resource: JSONValue = Bool.random(using: &random) ? "pods" : "secrets"
      var change: (Resource, KubernetesObject)
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        change = GateObjects.role(
          name, in: namespace, Self.rules([""], [resource], [verb]),
          labels: ["kind": ["x", "y"].randomElement(using: &random) ?? ""])
      case 1:
        // Collects what carries a label.
        change = GateObjects.role(name)
        change.1["aggregationRule"] = ["clusterRoleSelectors": [["matchLabels": ["kind": "x"]]]]
      default:
        let kind = namespace != nil && Bool.random(using: &random) ? "Role" : "ClusterRole"
        change = GateObjects.bind(
          name, kind: kind, in: namespace,
          [GateObjects.user("a"), GateObjects.user("b"), GateObjects.group("g")].randomElement(using: &random) ?? .null)
      }
      objects.remove(change.0, change.1.key)
      if Int.random(in: 0..<4, using: &random) > 0 { objects.add(change.0, change.1) }
      let fresh = RBACAuthorizer(objects: objects)
      for user in users {
        for namespace in namespaces {
          for (verb, resource) in [("get", "pods"), ("list", "pods"), ("get", "secrets"), ("delete", "secrets")] {
            let access = AccessAttributes(
              user: user, verb: verb, group: "", version: "v1", resource: resource, namespace: namespace ?? "", name: ""
            )
            #expect(authorizer.decision(access) == fresh.decision(access))
          }
        }
        #expect(Set(authorizer.namespacesGranted(to: user)) == Set(fresh.namespacesGranted(to: user)))
      }
    }
  }

  @Test func `a change of one binding costs one look among 5,000 as among 50`() {
    func decodes(bindings: Int) -> Int {
      let objects = GateObjects([GateObjects.role("view", Self.rules([""], ["pods"], ["get"]))])
      for index in 0..<bindings {
        let (resource, binding) = GateObjects.bind("view", in: "n\(index)", GateObjects.user("u\(index)"));
        objects.add(resource, binding)
      }
      let authorizer = RBACAuthorizer(objects: objects)
      let access = AccessAttributes(
        user: UserInfo(name: "new", groups: []), verb: "get", group: "", version: "v1", resource: "pods",
        namespace: "n3", name: "")
      #expect(!authorizer.decision(access).isAllowed)
      let before = authorizer.decodes
      #expect(before == bindings + 1)
      let change = GateObjects.bind("view", in: "n3", GateObjects.user("new"))
      objects.remove(change.0, change.1.key)
      objects.add(change.0, change.1)
      #expect(authorizer.decision(access).isAllowed)
      return authorizer.decodes - before
    }
    #expect(decodes(bindings: 50) == 1 && decodes(bindings: 5000) == 1)
  }

  @Test func nobodyGrantsMoreThanTheyHold() {
    let authorizer = RBACAuthorizer(
      objects: GateObjects(
        Self.world + [
          GateObjects.role("escalator", Self.rules(["rbac.authorization.k8s.io"], ["roles"], ["escalate"])),
          GateObjects.bind("escalator", in: "blue", GateObjects.user("trusted")),
          GateObjects.role(
            "binder", Self.rules(["rbac.authorization.k8s.io"], ["clusterroles"], ["bind"], names: ["view"])),
          GateObjects.bind("binder", in: "blue", GateObjects.user("binder")),
        ]))
    let admission = RBACAdmission(authorizer: authorizer)
    func refused(_ user: UserInfo, _ new: (Resource, KubernetesObject), stored: KubernetesObject? = nil) -> Bool {
      admission.check(user: user, object: new.1, stored: stored, resource: new.0) != nil
    }
    let (boss, root) = (UserInfo(name: "boss"), UserInfo(name: "root", groups: ["system:masters"]))
    let pods = Self.rules([""], ["pods"], ["get", "list"])
    let nodes = Self.rules([""], ["nodes"], ["get"])
    #expect(!refused(boss, GateObjects.role("r", in: "blue", pods)))
    #expect(refused(boss, GateObjects.role("r", in: "green", pods)))
    #expect(refused(boss, GateObjects.role("r", in: "blue", nodes)))
    #expect(refused(boss, GateObjects.role("r", in: "blue", Self.rules(["*"], ["*"], ["*"]))))
    #expect(refused(boss, GateObjects.role("r", in: "blue", Self.rules([""], ["pods"], ["*"]))))
    #expect(!refused(root, GateObjects.role("r", Self.rules(["*"], ["*"], ["*"]))))
    #expect(!refused(UserInfo(name: "trusted"), GateObjects.role("r", in: "blue", nodes)))
    #expect(refused(UserInfo(name: "trusted"), GateObjects.role("r", nodes)))
    let (_, stored) = GateObjects.role("r", in: "blue", nodes)
    #expect(!refused(boss, GateObjects.role("r", in: "blue", nodes), stored: stored))
    for (role, isRefused) in [
      ("view", false), ("edit", false), ("admin", false), ("cluster-admin", true), ("absent", true),
    ] {
      #expect(refused(boss, GateObjects.bind(role, in: "blue", GateObjects.user("x"))) == isRefused, "\(role)")
      #expect(refused(boss, GateObjects.bind(role, GateObjects.user("x"))), "\(role)")
    }
    #expect(!refused(UserInfo(name: "binder"), GateObjects.bind("view", in: "blue", GateObjects.user("x"))))
    #expect(refused(UserInfo(name: "binder"), GateObjects.bind("edit", in: "blue", GateObjects.user("x"))))
    let refusal = admission.check(
      user: boss, object: GateObjects.role("r", in: "blue", nodes).1, stored: nil, resource: .roles)
    #expect(refusal?.code == 403)
    #expect(refusal?.message.contains("attempting to grant RBAC permissions not currently held") == true)
  }

  /// The server asks whatever authorizer it has, also one that stands around another.
  @Test func grantsAreCheckedThroughAnAuthorizerAroundAnother() async throws {
    struct Counting: Authorizing {
      let inner: any Authorizing
      func decide(_ access: AccessAttributes) async -> AccessDecision { await inner.decide(access) }
      func refusalToGrant(_ write: WriteReview) -> APIStatus? { inner.refusalToGrant(write) }
      func namespacesGranted(to user: UserInfo) -> [Set<String>] { inner.namespacesGranted(to: user) }
    }
    let server = try await APIServer.inMemory(
      authorizer: { Counting(inner: RBACAuthorizer(objects: $0)) }, logger: quiet)
    let root = server.client()
    try await root.create(KubernetesObject(.namespaces, name: "blue"), as: .namespaces)
    for (resource, object) in Self.world.filter({ $0.1.namespace.isEmpty || $0.1.namespace == "blue" }) {
      try await root.create(object, as: resource)
    }
    let boss = server.client(as: UserInfo(name: "boss"))
    let (resource, everything) = GateObjects.role("all", in: "blue", Self.rules(["*"], ["*"], ["*"]))
    let created = await refusal { try await boss.create(everything, as: resource) }
    #expect(created?.code == 403)
    #expect(created?.message.contains("attempting to grant RBAC permissions not currently held") == true)
    let (_, modest) = GateObjects.role("all", in: "blue", Self.rules([""], ["pods"], ["get"]))
    var role = try await boss.create(modest, as: resource)
    role["rules"] = everything["rules"]
    let wider = role
    let updated = await refusal { try await boss.update(wider, as: resource) }
    #expect(updated?.code == 403)
    let patched = await refusal {
      try await boss.patch(resource, namespace: "blue", name: "all", ["rules": wider["rules"]])
    }
    #expect(patched?.code == 403)
  }

  /// A Secret that its controller has filled for an account.
  private static func tokenSecret(
    _ signer: ServiceAccountTokenSigner, account: KubernetesObject, uid: String = "s1"
  ) -> (secret: KubernetesObject, token: String) {
    var secret = KubernetesObject(.secrets, namespace: account.namespace, name: "robot-token")
    secret.metadata["uid"] = .string(uid)
    secret.metadata["creationTimestamp"] = .string(Timestamp.now.description)
    secret["type"] = "kubernetes.io/service-account-token"
    secret.annotations = [
      "kubernetes.io/service-account.name": account.name, "kubernetes.io/service-account.uid": account.uid,
    ]
    let token = signer.token(of: secret, account: account.name, accountUID: account.uid)
    secret["data"]["token"] = .string(Base64.encode(token.utf8))
    return (secret, token)
  }

  private static func account(uid: String) -> KubernetesObject {
    var account = KubernetesObject(.serviceAccounts, namespace: "blue", name: "robot")
    account.metadata["uid"] = .string(uid)
    return account
  }

  @Test func tokensOfServiceAccountsLiveAsLongAsTheirAccounts() {
    let signer = ServiceAccountTokenSigner(key: Array(0..<32))
    let objects = GateObjects()
    let tokens = ServiceAccountTokens(objects: objects, signer: signer)
    let (secret, token) = Self.tokenSecret(signer, account: Self.account(uid: "u1"))
    objects.add(.secrets, secret)
    #expect(tokens.user(of: token) == nil)
    objects.add(.serviceAccounts, Self.account(uid: "u1"))
    #expect(tokens.user(of: token) == UserInfo.serviceAccount(namespace: "blue", name: "robot"))
    #expect(tokens.user(of: token, now: Timestamp.now.adding(seconds: ServiceAccountTokens.lifetime)) == nil)
    for other in ["", "nagaya..", "nagaya.%.x", String(token.dropLast()) + "!", token + "=", "\(token).x"] {
      #expect(tokens.user(of: other) == nil)
    }
    objects.removeAll(.serviceAccounts)
    objects.add(.serviceAccounts, Self.account(uid: "u2"))
    #expect(tokens.user(of: token) == nil)
  }

  @Test(
    arguments: [
      "a token of one's own", "a token of another key", "a token of another Secret", "no uid of the account",
      "another type", "another account",
    ])
  func nobodyChoosesATokenThroughASecret(_ attempt: String) {
    let signer = ServiceAccountTokenSigner(key: Array(0..<32))
    let account = Self.account(uid: "u1")
    var (secret, token) = Self.tokenSecret(signer, account: account)
    switch attempt {
    case "a token of one's own": token = "password"
    case "a token of another key":
      token = Self.tokenSecret(ServiceAccountTokenSigner(key: Array(1..<33)), account: account).token
    case "a token of another Secret": token = Self.tokenSecret(signer, account: account, uid: "s2").token
    case "no uid of the account":
      secret.annotations = ["kubernetes.io/service-account.name": "robot"]
    case "another type": secret["type"] = "Opaque"
    default:
      secret.annotations["kubernetes.io/service-account.name"] = "king"
    }
    secret["data"]["token"] = .string(Base64.encode(token.utf8))
    var king = account
    king.metadata["name"] = "king"
    let objects = GateObjects([(.secrets, secret), (.serviceAccounts, account), (.serviceAccounts, king)])
    #expect(ServiceAccountTokens(objects: objects, signer: signer).user(of: token) == nil)
  }
}
