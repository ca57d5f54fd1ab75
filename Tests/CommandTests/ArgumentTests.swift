import ArgumentParser
import JSONDocument
import Testing

@testable import nagaya

@Suite struct ArgumentTests {
  static let volumes: [(String, JSONValue)] = [
    ("data:/data:1Gi", ["name": "data", "mountPath": "/data", "size": "1Gi"]),
    (
      "a-1:/var/lib/x:512Mi:fast",
      ["name": "a-1", "mountPath": "/var/lib/x", "size": "512Mi", "storageClassName": "fast"]
    ),
  ]

  @Test(arguments: volumes) func `volumes are read`(_ text: String, _ json: JSONValue) throws {
    #expect(try VolumeArgument(parsing: text).json == json)
  }

  @Test(arguments: [
    ("data", "a volume is NAME:/PATH:SIZE"), ("data:/data", "a volume is NAME:/PATH:SIZE"),
    ("a:/b:1Gi:c:d", "a volume is NAME:/PATH:SIZE"), ("Data:/data:1Gi", "name \"Data\" must be lower-case"),
    (":/data:1Gi", "name \"\" must be"), ("data:data:1Gi", "path \"data\" must be absolute"),
    ("data:/:1Gi", "not / itself"), ("data:/a/../b:1Gi", "without .."),
    ("data:/data:big", "size \"big\" must be a quantity"),
    ("data:/data:0", "must be a quantity"), ("data:/data:-1Gi", "must be a quantity"),
    ("data:/data:", "must be a quantity"),
    ("data:/data:1Ki", "size \"1Ki\" is too small: at least 1Mi"),
    ("data:/data:10", "is in bytes; say 10Gi or 10Mi"), ("data:/data:1Gi:UPPER", "no name of a storage class"),
    ("data:/data:1Gi:", "no name of a storage class"),
  ]) func `what is no volume says why`(_ text: String, _ why: String) async {
    #expect(performing: { try VolumeArgument(parsing: text) }, throws: { "\($0)".contains(why) })
    let result = await CommandRunner()("create", "app", "x", "--image", "i", "--volume", text)
    #expect(result.code == 2)
    #expect(result.error.contains(why), "\(result.error)")
    #expect(result.out.isEmpty)
  }

  @Test(
    arguments: [
      ("/models=team.local/llama:3", ["mountPath": "/models", "image": "team.local/llama:3"]),
      (
        "/m=registry.local:5000/team/llama:3,sub=a/b,pull=Always",
        ["mountPath": "/m", "image": "registry.local:5000/team/llama:3", "subPath": "a/b", "pullPolicy": "Always"]
      ),
    ] as [(String, JSONValue)]) func `image volumes are read`(_ text: String, _ json: JSONValue) throws
  {
    #expect(try ImageVolumeArgument(parsing: text).json == json)
  }

  @Test(arguments: [
    ("/models", "an image volume is /PATH=IMAGE"), ("models=a/b:1", "path \"models\" must be absolute"),
    ("/=a/b:1", "not / itself"), ("/a/../b=a/b:1", "without .."), ("/m=", "no name of an image"),
    ("/m=UPPER/x", "no name of an image"), ("/m=a/b:1,sub=", "must be a path within the image"),
    ("/m=a/b:1,sub=../x", "must be a path within the image"), ("/m=a/b:1,sub=/x", "must be a path within the image"),
    ("/m=a/b:1,pull=Maybe", "must be one of Always"), ("/m=a/b:1,ro", "neither sub=PATH nor pull="),
    ("/m=a/b:1,size=1Gi", "neither sub nor pull"),
  ]) func `what is no image volume says why`(_ text: String, _ why: String) async {
    #expect(performing: { try ImageVolumeArgument(parsing: text) }, throws: { "\($0)".contains(why) })
    let result = await CommandRunner()("create", "app", "x", "--image", "i", "--image-volume", text)
    #expect(result.code == 2)
    #expect(result.error.contains(why), "\(result.error)")
  }

  @Test(arguments: [("90", 90), ("90s", 90), ("2m", 120), ("1h30m", 5400), ("1h1m1s", 3661), ("0", 0)])
  func `spans of time are read`(_ text: String, _ seconds: Int) {
    #expect(TimeSpan(argument: text)?.seconds == seconds)
  }

  @Test(arguments: ["", "m", "5x", "1m1h", "1m30", "-5", "1.5m", "99999999999999999999"])
  func `what is no span of time is refused`(_ text: String) {
    #expect(TimeSpan(argument: text) == nil)
  }

  @Test(arguments: [("A=1", "A", "1"), ("A=", "A", ""), ("A.b-c_1=x=y", "A.b-c_1", "x=y")])
  func `variables are read`(_ text: String, _ name: String, _ value: String) {
    let variable = EnvironmentArgument(argument: text)
    #expect(variable?.name == name)
    #expect(variable?.value == value)
  }

  @Test(arguments: ["A", "=1", "1A=x", "A B=x", "Ä=x"]) func `what is no variable is refused`(_ text: String) {
    #expect(EnvironmentArgument(argument: text) == nil)
  }

  @Test func `an app's options become its spec`() throws {
    let command = try CreateApp.parse([
      "web", "-n", "demo-dev", "--image=r.io/web:7", "--port=8000", "--replicas", "3", "-e", "MODE=a=b", "--env", "X=",
      "--volume", "data:/data:1Gi", "--volume", "logs:/logs:2Gi:slow", "--retain-volumes", "--probe-path", "/ok",
      "--cpu", "500m", "--memory", "256Mi", "--command", "/bin/sh", "--command", "-e", "--", "-c", "run --fast",
    ])
    #expect(
      command.object(namespace: "demo-dev").json == [
        "apiVersion": "nagaya.dev/v1alpha1", "kind": "Application",
        "metadata": ["name": "web", "namespace": "demo-dev"],
        "spec": [
          "image": "r.io/web:7", "port": 8000, "replicas": 3, "command": ["/bin/sh", "-e"],
          "args": ["-c", "run --fast"],
          "env": [["name": "MODE", "value": "a=b"], ["name": "X", "value": ""]],
          "volumes": [
            ["name": "data", "mountPath": "/data", "size": "1Gi"],
            ["name": "logs", "mountPath": "/logs", "size": "2Gi", "storageClassName": "slow"],
          ], "volumeRetention": "Retain", "readiness": ["path": "/ok"],
          "resources": [
            "requests": ["cpu": "500m", "memory": "256Mi"], "limits": ["cpu": "500m", "memory": "256Mi"],
          ],
        ],
      ])
  }

  @Test func `a plain app has its defaults`() throws {
    let spec = try CreateApp.parse(["hello", "--image", "a"]).object(namespace: "n").spec
    #expect(spec == ["image": "a", "port": 8080, "replicas": 1])
  }

  @Test func `a tenant's options become its spec`() throws {
    let command = try CreateTenant.parse([
      "shop", "--environment", "dev", "--environment", "prod", "--admin", "alice", "--view", "group:auditors",
      "--quota",
      "requests.cpu=4",
    ])
    #expect(
      command.object.spec == [
        "environments": ["dev", "prod"],
        "members": [
          ["kind": "User", "name": "alice", "role": "admin"], ["kind": "Group", "name": "auditors", "role": "view"],
        ], "quota": ["hard": ["requests.cpu": "4"]],
      ])
  }

  @Test func `a tenant's bounds and level become its spec`() throws {
    let spec = try CreateTenant.parse([
      "bank", "--quota", "none", "--limit", "memory=1Gi", "--pod-security", "baseline", "--pod-security",
      "prod=restricted",
    ]).object.spec
    #expect(spec["quota"] == ["hard": [:]])
    #expect(spec["limits"] == ["default": ["memory": "1Gi"]])
    #expect(spec["podSecurity"] == ["level": "baseline", "environments": ["prod": "restricted"]])
    #expect(throws: (any Error).self) { try CreateTenant.parse(["bank", "--pod-security", "privileged"]) }
  }

  @Test func `what new tenants get follows the options of up`() throws {
    let options = try PlatformOptions.parse(["--tenant-quota", "pods=5", "--container-limit", "memory=16Mi"])
    #expect(options.tenantDefaults.quota == ["pods": "5"])
    #expect(options.tenantDefaults.limits["default"] == ["memory": "16Mi"])
    #expect(options.tenantDefaults.limits["defaultRequest"]?["memory"] == "16Mi")
    let open = try PlatformOptions.parse(["--tenant-quota", "none", "--container-limit", "none"])
    #expect(open.tenantDefaults.quota.isEmpty && open.tenantDefaults.limits.isEmpty)
    #expect(try PlatformOptions.parse(open.arguments).tenantDefaults == open.tenantDefaults)
  }

  @Test(arguments: [
    ["create", "app", "Upper", "--image", "a"], ["create", "app", "x"],
    ["create", "app", "x", "--image", "a", "--port", "0"],
    ["create", "app", "x", "--image", "a", "--replicas", "-1"],
    ["create", "app", "x", "--image", "a", "--cpu", "fast"],
    ["create", "app", "x", "--image", "a", "--probe-path", "ok"],
    ["create", "app", "x", "--image", "a", "--timeout", "5x"],
    ["create", "app", "x", "--image", "a", "--volume", "d:/a:1Gi", "--volume", "d:/b:1Gi"], ["scale", "app", "x"],
    ["get", "apps", "-o", "xml"], ["get", "apps", "-l", "a=(b"], ["get", "apps", "-w", "-o", "json"],
    ["get", "unknown"],
    ["logs", "app", "x", "-f", "--previous"], ["delete", "app"], ["completion", "csh"], ["unknown"],
    ["image", "pack", ".", "--name", "UPPER/"], ["create", "tenant", "a", "--environment", "B"],
    ["create", "tenant", "www"], ["create", "tenant", "nagaya"], ["create", "tenant", "xn--dem-vna"],
    ["metrics", "unknown"], ["serve", "storage", "--run-dir", "/run/" + String(repeating: "x", count: 80)],
    ["serve", "storage", "--metrics-address", "9810"],
    ["serve", "storage", "--metrics-address", "::1:9810"], ["serve", "scheduler-extender", "--tls-cert", "c"],
    ["up", "--domain", "Apps.test"], ["up", "--domain", "apps..test"],
  ]) func `wrong usage ends with 2 and changes nothing`(_ arguments: [String]) async {
    let result = await CommandRunner().run(arguments)
    #expect(result.code == 2, "\(result.error)")
    #expect(result.out.isEmpty)
    #expect(!result.error.isEmpty)
  }

  @Test(arguments: [["--help"], ["create", "app", "--help"], ["help", "get"], ["--version"], ["version"]])
  func `help and version end with 0 on standard output`(_ arguments: [String]) async {
    let result = await CommandRunner().run(arguments)
    #expect(result.code == 0)
    #expect(!result.out.isEmpty)
    #expect(result.error.isEmpty)
  }

  @Test func `every command's help has an example or leads to commands`() {
    func visit(_ command: any ParsableCommand.Type) {
      let configuration = command.configuration
      #expect(!configuration.abstract.isEmpty, "\(command)")
      for subcommand in configuration.subcommands { visit(subcommand) }
    }
    visit(Nagaya.self)
  }
}
