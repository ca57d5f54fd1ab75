import Foundation
import LinuxSystem
import PlatformHarness

/// A containerd with nothing in it, and the snapshotter of one mode.
final class ImageEngine: Sendable {
  let directory: String
  let mode: ImageMode
  let shell: Shell
  private let processes: [Process]
  /// Of the snapshotter, if it is a process of its own.
  let snapshotterPID: Int32?
  private let socket: String
  private let traces: String?

  private static let readyAttempts = 400
  /// Where SOCI keeps indexes, whatever it is told; a directory of the engine's own is mounted there, empty at first.
  static let sociDirectory = "/var/lib/soci-snapshotter-grpc"

  /// Starts both and waits until containerd can use the snapshotter.
  ///
  /// - Parameters:
  ///   - directory: for everything they keep; must be on a disk.
  ///   - nagaya: our program.
  ///   - authority: certificates that SOCI's snapshotter is to trust; it speaks https alone.
  ///   - profiles: what an earlier start has taught our daemon.
  ///   - knownImages: that our daemon finds on its disk.
  ///   - options: more arguments of our daemon.
  ///   - traces: gets our daemon's log of every fetch and every wait.
  init(
    _ mode: ImageMode, in directory: String, nagaya: String, authority: String? = nil, profiles: String? = nil,
    traces: String? = nil, knownImages: Int = 0, options: [String] = []
  )
    async throws
  {
    self.mode = mode
    self.traces = traces
    self.directory = directory
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    shell = Shell(
      environment: [
        "PATH": "\(DockerRegistry.engines)/bin:\(path):/usr/sbin:/sbin", "CONTAINERD_ADDRESS": "\(directory)/c.sock",
        "CONTAINERD_NAMESPACE": "bench", "HOME": directory,
      ].merging(authority.map { ["SSL_CERT_FILE": $0] } ?? [:]) { $1 })
    socket = mode == .soci ? "\(directory)/s.sock" : "\(directory)/run/snapshots.sock"
    let socket = socket
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let config = "\(directory)/config.toml"
    try Data(Self.configuration(mode, directory).utf8).write(
      to: URL(fileURLWithPath: config))
    var processes: [Process] = []
    do {
      switch mode {
      case .soci:
        try await shell.succeed(
          """
          mkdir -p \(Self.sociDirectory) \(directory)/soci-content
          mount --bind \(directory)/soci-content \(Self.sociDirectory)
          """)
        processes.append(
          try Self.start(
            directory, "soci", "\(DockerRegistry.engines)/bin/soci-snapshotter-grpc",
            ["-address", socket, "-root", "\(directory)/soci"], certificates: authority))
      case let mode where mode.isOurs:
        if let profiles {
          try await shell.succeed("mkdir -p \(directory)/nagaya && cp -a \(profiles) \(directory)/nagaya/profiles")
        }
        if knownImages > 0 { try KnownImages.write(knownImages, to: "\(directory)/nagaya") }
        processes.append(
          try Self.start(
            directory, "nagaya", nagaya,
            [
              "serve", "images", "--root", "\(directory)/nagaya", "--run", "\(directory)/run", "--hosts-directory",
              "\(directory)/certs.d", "--log-level", traces == nil ? "notice" : "debug",
            ] + options))
      default: break
      }
      snapshotterPID = processes.first?.processIdentifier
      if snapshotterPID != nil {
        try await shell.succeed(
          """
          for i in $(seq \(Self.readyAttempts)); do [ -S \(socket) ] && exit 0; sleep 0.05; done
          tail -n 20 \(directory)/*.log; exit 1
          """)
      }
      processes.append(
        try Self.start(directory, "containerd", "\(DockerRegistry.engines)/bin/containerd", ["--config", config]))
      self.processes = processes
      try await shell.succeed(
        """
        for i in $(seq \(Self.readyAttempts)); do ctr version >/dev/null 2>&1 && exit 0; sleep 0.05; done
        tail -n 20 \(directory)/*.log; exit 1
        """)
    } catch {
      for process in processes { kill(process.processIdentifier, SIGKILL) }
      throw error
    }
  }

  private static func start(
    _ directory: String, _ name: String, _ program: String, _ arguments: [String], certificates: String? = nil
  ) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    var environment = ProcessInfo.processInfo.environment
    environment["PATH"] = "\(DockerRegistry.engines)/bin:\(environment["PATH"] ?? "/usr/bin:/bin"):/usr/sbin:/sbin"
    environment["HOME"] = directory
    if let certificates { environment["SSL_CERT_FILE"] = certificates }
    process.environment = environment
    _ = FileManager.default.createFile(atPath: "\(directory)/\(name).log", contents: nil)
    let log = FileHandle(forWritingAtPath: "\(directory)/\(name).log")
    process.standardOutput = log
    process.standardError = log
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return process
  }

  private static func configuration(_ mode: ImageMode, _ directory: String) -> String {
    var text = """
      version = 3
      root = "\(directory)/root"
      state = "\(directory)/state"
      disabled_plugins = [
        "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
        "io.containerd.nri.v1.nri", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
      ]
      [grpc]
        address = "\(directory)/c.sock"
      [ttrpc]
        address = "\(directory)/c.sock.ttrpc"
      [plugins.'io.containerd.internal.v1.opt']
        path = "\(directory)/opt"
      [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
        platform = "linux/amd64"
        snapshotter = "\(mode.snapshotter)"

      """
    if mode == .erofs {
      text += """
          differ = "erofs"
        [plugins.'io.containerd.service.v1.diff-service']
          default = ["erofs", "walking"]

        """
    }
    if mode == .soci || mode.isOurs {
      text += """
        [proxy_plugins.\(mode.snapshotter)]
          type = "snapshot"
          address = "\(mode == .soci ? "\(directory)/s.sock" : "\(directory)/run/snapshots.sock")"
          [proxy_plugins.\(mode.snapshotter).exports]
            root = "\(mode == .soci ? "\(directory)/soci" : "\(directory)/nagaya/snapshots")"
            enable_remote_snapshot_annotations = "true"

        """
    }
    return text
  }

  /// Stops everything, unmounts what is left and removes the directory.
  func destroy() async {
    if let traces, mode.isOurs {
      let name = directory.split(separator: "/").last ?? ""
      _ = try? await shell("mkdir -p '\(traces)' && cp '\(directory)/nagaya.log' '\(traces)/\(name).log'")
    }
    // Containers first, so that no shim stays behind.
    _ = try? await shell(
      "for c in $(ctr containers ls -q); do ctr tasks kill -s 9 $c; ctr tasks rm -f $c; ctr containers rm $c; done",
      seconds: 30)
    for process in processes.reversed() { await Self.end(process) }
    _ = try? await shell(
      """
      for p in $(pgrep -f -- '-address \(directory)/[c].sock'); do kill -9 $p; done
      for i in 1 2 3 4 5; do
        grep -F ' \(directory)/' /proc/self/mountinfo | awk '{print $5}' | sort -r | xargs -r -n1 umount -l
        grep -qF ' \(directory)/' /proc/self/mountinfo || break
      done
      # Our keeper and guard outlive the daemon on purpose.
      for p in $(pgrep -f -- '-layers \(directory)/run/[l]ayers'); do kill -9 $p; done
      \(mode == .soci ? "umount \(Self.sociDirectory)" : "true")
      rm -rf '\(directory)'
      rmdir \(Self.sociDirectory) 2>/dev/null
      """)
  }

  /// Ends our process and waits for it; by force after ten seconds.
  private static func end(_ process: Process) async {
    guard process.isRunning else { return }
    process.terminate()
    let deadline = ContinuousClock.now + .seconds(10)
    while process.isRunning {
      if ContinuousClock.now > deadline { kill(process.processIdentifier, SIGKILL) }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }
}
