import Foundation
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  @Suite("Rollouts under load")
  struct RolloutUnderLoadTests {
    @Test("that change an app's port, and change it back, lose no request")
    func port() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let codes = "\(nagaya.directory)/codes"
      let end = "\(nagaya.directory)/load-ends"
      try await shell.succeed(
        "nagaya create app shifting -n demo-dev --image=nagaya.local/hello:1 --replicas 2 --port 8080 --env PORT=8080",
        seconds: 90)
      // Half of the clients open a connection for each request, half keep theirs.
      let address = nagaya.url("shifting")
      let load = """
        for client in 1 2; do
          (until [ -e \(end) ]; do curl -sS -o /dev/null -w '%{http_code}\\n' -m 60 --cacert $CA \(address); done) &
          (until [ -e \(end) ]; do
            curl -sS -o /dev/null -w '%{http_code}\\n' -m 60 --cacert $CA "\(address)#[1-50]"; done) &
        done >> \(codes) 2>> \(codes); wait
        """
      async let loaded = shell(load, seconds: 300)
      func count() -> Int {
        ((try? String(contentsOfFile: codes, encoding: .utf8)) ?? "").split(separator: "\n").count
      }
      do {
        for port in [9090, 8080] {
          let before = count()
          try await eventually("requests are answered") { count() > before + 40 }
          try await shell.succeed(
            """
            kubectl patch app shifting -n demo-dev --type merge \
            -p '{"spec":{"port":\(port),"env":[{"name":"PORT","value":"\(port)"}]}}'
            """)
          try await shell.succeed("nagaya rollout status app shifting -n demo-dev --timeout 90s", seconds: 100)
          try await eventually("the old pods are gone") {
            try await shell(
              "kubectl get pods -n demo-dev -l app.nagaya.dev/name=shifting -o jsonpath='{.items[*].spec.containers[0].ports[0].containerPort}'"
            ).out == "\(port) \(port)"
          }
        }
        let before = count()
        try await eventually("requests are answered") { count() > before + 40 }
      } catch {
        try Data().write(to: URL(fileURLWithPath: end))
        _ = try await loaded
        throw error
      }
      try Data().write(to: URL(fileURLWithPath: end))
      _ = try await loaded
      let answers = try String(contentsOfFile: codes, encoding: .utf8).split(separator: "\n")
      let lost = answers.filter { $0 != "200" }
      #expect(lost.isEmpty, "\(lost.count) of \(answers.count) were lost: \(lost.prefix(10))")
      try await shell.succeed("nagaya delete app shifting -n demo-dev")
    }
  }
}
