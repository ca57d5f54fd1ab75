import Foundation
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What goes wrong in real life: READY is False and REASON helps.
  @Suite("Faults of apps")
  struct FaultTests {
    @Test(
      "an app that cannot become ready says why, and what to do",
      arguments: [
        ("noimage", "--image=nagaya.local/nothing:1", ["ImageNotFound"], "nagaya image load"),
        ("faraway", "--image=registry.invalid/app:1", ["ErrImagePull", "ImagePullBackOff"], "registry.invalid"),
        ("exits", "--image=nagaya.local/hello:1 --command /hello --command --exit=3", ["CrashLoop"], "exit code 3"),
        ("closed", "--image=nagaya.local/hello:1 --port=9999", ["PortNotOpen"], "port 9999"),
        ("huge", "--image=nagaya.local/hello:1 --volume data:/data:900Gi", ["VolumeTooLarge"], "nagaya get pools"),
        ("greedy", "--image=nagaya.local/hello:1 --cpu 4096", ["Unschedulable"], "Insufficient cpu"),
      ])
    func reason(name: String, flags: String, reasons: [String], words: String) async throws {
      let shell = try running().shell
      try await shell.succeed("nagaya create app \(name) -n demo-dev \(flags) --no-wait")
      func condition(_ member: String) async throws -> String {
        try await shell(
          "kubectl get app \(name) -n demo-dev -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].\(member)}'"
        ).out
      }
      try await eventually("READY False with one of \(reasons)", within: .seconds(90)) {
        let reason = try await condition("reason")
        return try await condition("status") == "False" && reasons.contains(reason)
      }
      let message = try await condition("message")
      #expect(message.contains(words), "\(message)")
      try await shell.succeed("nagaya delete app \(name) -n demo-dev")
    }

    @Test("an image that was never loaded is told at once, with what to do, and starts once it is")
    func localImage() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let image = "nagaya.local/late-\(nagaya.apiPort):1"
      // The wait of `create` ends by itself: no registry is asked, so nothing will change by waiting.
      let said = try await shell.fail("nagaya create app late -n demo-dev --image=\(image)")
      #expect(said.contains("ImageNotFound") && said.contains("nagaya image load"), "\(said)")
      let events = try await shell.succeed("kubectl get events -n demo-dev -o jsonpath='{.items[*].message}'")
      #expect(events.contains("ImageNotFound") && !events.contains("\(image): failed"), "\(events)")
      let archive = "\(nagaya.directory)/late.tar"
      try await shell.succeed(
        """
        mkdir \(nagaya.directory)/late && cp \(PlatformInstance.root)/Examples/hello/hello.c \(nagaya.directory)/late/ &&
        cc -static -o \(nagaya.directory)/late/hello \(nagaya.directory)/late/hello.c &&
        nagaya image pack \(nagaya.directory)/late --name \(image) --cmd /hello --output \(archive) &&
        nagaya image load \(archive) --state-dir \(nagaya.state) --run-dir \(nagaya.run)
        """)
      try await shell.succeed("kubectl wait app late -n demo-dev --for=condition=Ready --timeout=30s")
      try await shell.succeed("nagaya delete app late -n demo-dev")
    }

    @Test("a name that another object has is refused, and that object is left alone")
    func nameTaken() async throws {
      let shell = try running().shell
      try await shell.succeed("kubectl create deployment taken -n demo-dev --image=nagaya.local/hello:1 --replicas=0")
      try await shell.succeed("nagaya create app taken -n demo-dev --image=nagaya.local/hello:1 --no-wait")
      try await eventually("READY False NameTaken") {
        try await shell("kubectl get app taken -n demo-dev").out.contains("NameTaken")
      }
      #expect(
        try await shell.succeed("kubectl get deployment taken -n demo-dev -o jsonpath='{.spec.replicas}'") == "0")
      try await shell.succeed("nagaya delete app taken -n demo-dev; kubectl delete deployment taken -n demo-dev")
    }

    @Test("containers go on over a kill -9 of nagaya, and nothing leaks")
    func killed() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed(
        "nagaya create app stays -n demo-dev --image=nagaya.local/hello:1 --volume data:/data:400Mi", seconds: 90)
      let container =
        "kubectl get pods -n demo-dev -l app.nagaya.dev/name=stays -o jsonpath='{.items[0].status.containerStatuses[0].containerID} {.items[0].status.containerStatuses[0].restartCount}'"
      let before = try await shell.succeed(container)
      let processes = try await shell.succeed("pgrep -x hello | sort | tr '\\n' ' '")
      let pid = try await nagaya.pid()
      kill(pid, SIGKILL)
      try await eventually("the process is gone") {
        try await shell("nagaya status --state-dir \(nagaya.state) --run-dir \(nagaya.run)").status == 3
      }
      let said = try await shell("nagaya status --state-dir \(nagaya.state) --run-dir \(nagaya.run)").out
      #expect(said.contains("does not run here, but its containers do"), "\(said)")
      #expect(try await shell.succeed("pgrep -x hello | sort | tr '\\n' ' '") == processes)
      try await nagaya.up()
      try await eventually("the app answers again") {
        try await shell("curl -sSf --cacert $CA \(nagaya.url("stays"))").succeeded
      }
      #expect(try await shell.succeed(container) == before)
      try await shell.succeed("nagaya delete app stays -n demo-dev")
    }
  }
}
