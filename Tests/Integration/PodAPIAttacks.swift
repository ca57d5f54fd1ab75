import Foundation
import JSONDocument
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What a pod with a token of its service account reaches of the API, and one without: tenants `apired` and `apiblue`.
  @Suite("Attacks from a pod on the API")
  struct PodAPIAttacks {
    private static let image = "nagaya.test/curl:1"

    /// Packs the machine's own bash and curl, with what they need, as an image.
    private static func pack(_ nagaya: PlatformInstance) async throws {
      let root = "\(nagaya.directory)/curl-root"
      try await nagaya.shell.succeed(
        """
        mkdir -p \(root)/tmp
        for program in /usr/bin/bash /usr/bin/curl; do
          for file in $program $(ldd $program | grep -o '/[^ ]*'); do cp -L --parents $file \(root)/; done
        done
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=other \
          -out \(root)/other.crt 2>/dev/null
        nagaya image pack \(root) --name \(image) --cmd /usr/bin/bash --output \(root).tar
        nagaya image load \(root).tar --state-dir \(nagaya.state) --run-dir \(nagaya.run)
        """, seconds: 120)
    }

    private func create(_ name: String, _ namespace: String, spec: JSONValue, script: String) async throws {
      var spec = spec
      spec["terminationGracePeriodSeconds"] = 1
      // What is left to do is to be there.
      let words: JSONValue = [
        "/usr/bin/bash", "-c", .string("\(script)\necho done; while :; do read -t 60 <> <(:) || :; done"),
      ]
      spec["containers"] = [
        [
          "name": "main", "image": .string(Self.image), "imagePullPolicy": "Never", "command": words,
          "volumeMounts": spec["mounts"],
        ]
      ]
      spec.remove("mounts")
      let pod: JSONValue = [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": spec,
      ]
      let path = "\(try running().directory)/\(name).json"
      try Data(pod.encoded()).write(to: URL(fileURLWithPath: path))
      try await running().shell.succeed("kubectl create -f \(path)")
    }

    /// - Returns: what the pod said, by the first word of each line.
    private func said(_ name: String, _ namespace: String) async throws -> [String: String] {
      let shell = try running().shell
      try await eventually("\(name) has tried everything", within: .seconds(180), every: .milliseconds(200)) {
        try await shell("kubectl logs \(name) -n \(namespace)").out.contains("done")
      }
      let log = try await shell.succeed("kubectl logs \(name) -n \(namespace)")
      return log.split(separator: "\n").reduce(into: [:]) { said, line in
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        said[parts[0]] = parts.count > 1 ? parts[1] : ""
      }
    }

    private struct Try {
      let word: String
      let way: String
      let target: Attack.Target
      let path: String
      var options = #"-H "$auth""#
      let wanted: String
    }

    private static func tries(_ own: String, _ other: String) -> [Try] {
      let post = #"-H "$auth" -H 'Content-Type: application/json' -X POST -d"#
      return [
        Try(
          word: "others", way: "lists another tenant's config maps", target: .otherData,
          path: "/api/v1/namespaces/\(other)/configmaps", wanted: "403"),
        Try(
          word: "secrets", way: "lists another tenant's secrets", target: .otherSecrets,
          path: "/api/v1/namespaces/\(other)/secrets", wanted: "403"),
        Try(
          word: "everywhere", way: "lists pods of all", target: .otherData, path: "/api/v1/pods", wanted: "403"),
        Try(
          word: "own-secrets", way: "lists secrets that its role does not show", target: .otherSecrets,
          path: "/api/v1/namespaces/\(own)/secrets", wanted: "403"),
        Try(word: "nodes", way: "lists nodes", target: .platformRights, path: "/api/v1/nodes", wanted: "403"),
        Try(
          word: "writes", way: "writes what its role only reads", target: .platformRights,
          path: "/api/v1/namespaces/\(own)/configmaps", options: "\(post) '{\"metadata\":{\"name\":\"mine\"}}'",
          wanted: "403"),
        Try(
          word: "token", way: "gets another token for itself", target: .platformRights,
          path: "/api/v1/namespaces/\(own)/serviceaccounts/reader/token", options: "\(post) '{\"spec\":{}}'",
          wanted: "403"),
        Try(
          word: "binds", way: "binds itself to a role", target: .platformRights,
          path: "/apis/rbac.authorization.k8s.io/v1/namespaces/\(own)/rolebindings",
          options: "\(post) '{\"metadata\":{\"name\":\"mine\"}}'", wanted: "403"),
        Try(
          word: "impersonates", way: "impersonates the administrator", target: .platformRights,
          path: "/api/v1/nodes",
          options: #"-H "$auth" -H 'Impersonate-User: admin' -H 'Impersonate-Group: system:masters'"#,
          wanted: "403"),
        Try(
          word: "anonymous", way: "asks without its token", target: .platformRights,
          path: "/api/v1/namespaces/\(own)/configmaps", options: "", wanted: "401"),
        Try(
          word: "forged", way: "asks with a changed token", target: .platformRights,
          path: "/api/v1/namespaces/\(own)/configmaps", options: #"-H "${auth}AA""#, wanted: "401"),
      ]
    }

    @Test("a pod that asks for a token reads what its account may, and one that does not finds no API")
    func reach() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await Self.pack(nagaya)
      for tenant in ["apired", "apiblue"] {
        try await shell.succeed("nagaya create tenant \(tenant) --environment dev")
      }
      let (own, other) = ("apired-dev", "apiblue-dev")
      try await shell.succeed(
        """
        kubectl create serviceaccount reader -n \(own)
        kubectl create rolebinding reader -n \(own) --clusterrole view --serviceaccount \(own):reader
        kubectl create secret generic hush -n \(other) --from-literal=word=hush
        """)

      // With a token.
      let tries = Self.tries(own, other)
      let calls = tries.map { #"ask \#($0.word) '\#($0.path)' \#($0.options)"# }.joined(separator: "\n")
      try await create(
        "asking", own, spec: ["serviceAccountName": "reader", "automountServiceAccountToken": true],
        script: """
          T=/var/run/secrets/kubernetes.io/serviceaccount
          auth="Authorization: Bearer $(<$T/token)"
          ask() {
            name=$1 path=$2; shift 2
            echo "$name $(curl -sS --max-time 30 --cacert $T/ca.crt -o /dev/null -w '%{http_code}' "$@" \
            "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT$path" 2>&1)"
          }
          echo "namespace $(<$T/namespace)"
          ask own "/api/v1/namespaces/$(<$T/namespace)/configmaps" -H "$auth"
          \(calls)
          curl -sS --max-time 30 --cacert /other.crt -o /dev/null "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version"
          echo "strangers $?"
          """)
      let asked = try await said("asking", own)
      #expect(asked["namespace"] == own && asked["own"] == "200", "\(asked)")
      // Not by just any authority: curl's "cannot be authenticated with known CA certificates".
      #expect(asked["strangers"] == "60", "\(asked)")
      for row in tries {
        let held = try await attempt(Attack(.podWithToken, "\(row.way), by its service account", on: row.target)) {
          .check(asked[row.word] == row.wanted, asked[row.word] ?? "nothing")
        }
        #expect(held, "\(row.way): \(asked[row.word] ?? "nothing")")
      }

      // Without one, or with one for somebody else.
      let gateway = "10.\(nagaya.subnet).0.1"
      let knock = """
        curl -k -sS --max-time 10 -o /dev/null https://\(gateway):\(nagaya.apiPort)/version; echo "api $?"
        echo "variable ${KUBERNETES_SERVICE_HOST:-none}"
        """
      let vault: JSONValue = ["projected": ["sources": [["serviceAccountToken": ["path": "t", "audience": "vault"]]]]]
      let mounts: JSONValue = [["name": "t", "mountPath": "/t"]]
      var others: [(name: String, way: String, spec: JSONValue)] = [
        ("silent", "a pod that asks for no token", [:]),
        ("refusing", "a pod that wants none", ["automountServiceAccountToken": false]),
      ]
      var forVault = vault
      forVault["name"] = "t"
      others.append(("vault", "a pod with a token for somebody else", ["volumes": [forVault], "mounts": mounts]))
      for (name, way, spec) in others {
        try await create(name, own, spec: spec, script: knock)
        let found = try await said(name, own)
        let held = try await attempt(Attack(.pod, "\(way) connects to the API", on: .nodePorts)) {
          // 7: curl could not connect.
          .check(found["api"] == "7" && found["variable"] == "none", "\(found)")
        }
        #expect(held, "\(name): \(found)")
      }

      // A neighbour of the node on one of its networks.
      let (link, space) = ("pal\(nagaya.subnet)", "nagaya-pal\(nagaya.subnet)")
      try await shell.succeed(
        """
        ip netns add \(space) && ip link add \(link) type veth peer name eth0 netns \(space) &&
        ip addr add 198.51.100.5/30 dev \(link) && ip link set \(link) up &&
        ip -n \(space) addr add 198.51.100.6/30 dev eth0 && ip -n \(space) link set eth0 up &&
        ip -n \(space) route add \(gateway) via 198.51.100.5
        """)
      do {
        try await shell.succeed("ip netns exec \(space) curl -s --max-time 5 http://198.51.100.5:1 ; [ $? = 7 ]")
        let held = try await attempt(
          Attack(.outsider, "the pods' way to the API, from beside the node", on: .nodePorts)
        ) {
          let output = try await shell(
            "ip netns exec \(space) curl -k -s --max-time 3 https://\(gateway):\(nagaya.apiPort)/version")
          return .check(!output.succeeded && output.out.isEmpty, "status \(output.status)")
        }
        #expect(held)
      } catch {
        _ = try? await shell("ip netns delete \(space); ip link delete \(link)")
        throw error
      }
      _ = try await shell("ip netns delete \(space); ip link delete \(link)")

      // What the pod had is worth nothing when it is gone, and was written nowhere.
      let uid = try await shell.succeed("kubectl get pod asking -n \(own) -o jsonpath={.metadata.uid}")
      let token = try await shell.succeed("cat \(nagaya.state)/node/pods/\(uid)/volumes/files/kube-api-access-*/token")
      func status() async throws -> String {
        try await shell(
          "curl -s --cacert $API_CA -H @- -o /dev/null -w '%{http_code}' "
            + "https://127.0.0.1:\(nagaya.apiPort)/api/v1/namespaces/\(own)/configmaps <<<'Authorization: Bearer \(token)'"
        ).out
      }
      #expect(try await status() == "200")
      try await shell.succeed("kubectl delete pod asking -n \(own) --timeout=60s", seconds: 90)
      let held = try await attempt(
        Attack(.podWithToken, "its token after its end, from elsewhere", on: .platformRights)
      ) {
        let code = try await status()
        return .check(code == "401", code)
      }
      #expect(held)
      let traces = try await shell(
        "grep -rlF '\(token.suffix(60))' \(nagaya.state)/nagaya.log \(nagaya.state)/audit \(nagaya.state)/node \(nagaya.state)/api"
      )
      #expect(traces.out.isEmpty, "\(traces.out)")
      for tenant in ["apired", "apiblue"] {
        try await shell.succeed(
          "kubectl annotate tenant \(tenant) nagaya.dev/confirm-deletion=\(tenant) && kubectl delete tenant \(tenant) --timeout=60s",
          seconds: 90)
      }
    }
  }
}
