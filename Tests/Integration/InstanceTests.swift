import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// `up`, `down` and `status` beside an instance that runs.
  @Suite("Instances and their users")
  struct InstanceTests {
    /// The options of another instance on this machine; later ones win.
    private func another(_ nagaya: PlatformInstance, _ name: String, _ more: String) -> String {
      "nagaya up --detach --timeout 60 \(nagaya.flags) --state-dir \(nagaya.directory)/\(name)/state "
        + "--run-dir \(nagaya.directory)/\(name)/run --api-port 0 --edge-port 0 \(more)"
    }

    private func processes(of name: String, _ nagaya: PlatformInstance) async throws -> String {
      try await nagaya.shell("pgrep -af -- '\(nagaya.directory)/\(name)/[s]tate' | grep -v timeout").out
    }

    @Test("another instance gets neither the network, nor the addresses, nor the ports, and leaves nothing running")
    func conflicts() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let refusals = [
        ("", "network nt\(nagaya.apiPort) belongs to another instance"), ("--network ntx", "overlap"),
        ("--network ntx --pod-cidr 10.251.0.0/16 --api-port \(nagaya.apiPort)", "port \(nagaya.apiPort) of 127.0.0.1"),
        ("--network ntx --pod-cidr 10.251.0.0/16 --edge-port \(nagaya.edgePort)", "(the edge) is in use"),
        ("--state-dir \(nagaya.state) --run-dir \(nagaya.run)", "already running (process \(try await nagaya.pid()))"),
      ]
      for (options, words) in refusals {
        let said = try await shell.fail(another(nagaya, "second", options))
        #expect(said.contains(words), "\(said)")
        #expect(!said.contains("errno"), "\(said)")
      }
      #expect(try await processes(of: "second", nagaya).isEmpty)
      try await shell.succeed("nft list tables | grep -w 'inet .*nt\(nagaya.apiPort)'")
    }

    @Test("a start that fails half-way stops what it had started")
    func failedStart() async throws {
      let nagaya = try running()
      let options = "--network ntx --pod-cidr 10.251.0.0/16 --images \(nagaya.directory)"
      let said = try await nagaya.shell.fail(another(nagaya, "third", options), seconds: 90)
      #expect(said.contains("pause.tar is missing"), "\(said)")
      try await eventually("everything has ended") { try await processes(of: "third", nagaya).isEmpty }
      // What it had reserved is free again.
      let reserved = try await nagaya.shell("cat /run/nagaya-networks/reservations.json").out
      #expect(!reserved.contains("\(nagaya.directory)/third"))
    }

    @Test("who is not root is told so, not that nothing runs")
    func notRoot() async throws {
      let nagaya = try running()
      let binary = "\(nagaya.directory)/nagaya"
      try await nagaya.shell.succeed("install -m 755 $(command -v nagaya) \(binary)")
      let said = try await nagaya.shell.fail(
        "setpriv --reuid 65534 --regid 65534 --clear-groups \(binary) status --state-dir \(nagaya.state) --run-dir \(nagaya.run)"
      )
      #expect(said.contains("as root") && !said.contains("does not run"), "\(said)")
      try await nagaya.shell.succeed("rm \(binary)")
    }

    @Test("a user elsewhere reaches the API by the name and the address that it was given, and by no other")
    func elsewhere() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let address = try #require(nagaya.publicAddress)
      let config = "\(nagaya.directory)/bob.kubeconfig"
      try await shell.succeed("nagaya create user bob --state-dir \(nagaya.state) --output \(config)")
      // From a network of its own, on the other end of a cable.
      try await shell.succeed(
        """
        unshare --net sleep 300 & holder=$!; trap "kill $holder" EXIT
        until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
        ip link add away0 type veth peer name away1 netns $holder
        ip addr add 198.18.0.1/30 dev away0 && ip link set away0 up
        there() { nsenter -t $holder -n "$@"; }
        there ip addr add 198.18.0.2/30 dev away1 && there ip link set away1 up && there ip route add default via 198.18.0.1
        there kubectl --kubeconfig \(config) auth whoami -o jsonpath='{.status.userInfo.username}' | grep -qx bob
        url=https://\(PlatformInstance.publicName):\(nagaya.apiPort)/version
        there curl -sSf -m 20 --cacert $API_CA --resolve \(PlatformInstance.publicName):\(nagaya.apiPort):\(address) $url
        ! there curl -sf -m 20 --cacert $API_CA https://198.18.0.1:\(nagaya.apiPort)/version
        """, seconds: 120)
      #expect(try await shell.succeed("grep -o 'https://.*' \(config)") == "https://\(address):\(nagaya.apiPort)\n")
      #expect(
        try await shell.succeed("nagaya status --state-dir \(nagaya.state) --run-dir \(nagaya.run)").contains(
          "from elsewhere https://\(address):\(nagaya.apiPort)"))
    }

    @Test("a user gets in, and as far as the tenant says; the tenant goes with its apps")
    func users() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let config = "\(nagaya.directory)/alice.kubeconfig"
      try await shell.succeed("nagaya create tenant shop --environment dev --edit alice")
      try await shell.succeed("nagaya create user alice -n shop-dev --state-dir \(nagaya.state) --output \(config)")
      try await shell.succeed(
        "nagaya create app hello --kubeconfig \(config) --image=nagaya.local/hello:1 --volume data:/data:400Mi",
        seconds: 120)
      #expect(try await shell.fail("kubectl --kubeconfig \(config) get nodes").contains("alice"))
      #expect(try await shell.fail("kubectl --kubeconfig \(config) get apps -n demo-dev").contains("orbidden"))
      #expect(try await shell.fail("nagaya delete tenant shop").contains("app shop-dev/hello"))
      try await shell.succeed("nagaya delete tenant shop --with-apps --timeout 60s", seconds: 90)
      #expect(try await shell.fail("kubectl get namespace shop-dev").contains("not found"))
    }
  }
}
