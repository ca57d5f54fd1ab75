import Foundation
import LinuxSystem
import OCI
import PlatformHarness
import Testing

@testable import LazyImages

/// A containerd of one test with a snapshotter as proxy plugin, and a registry; everything is gone afterwards.
struct ContainerdFixture: Sendable {
  let directory: String
  let registryPort: Int
  let shell: Shell

  static var programs: String {
    let engines = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(PlatformInstance.root)/.engines"
    return "\(engines)/bin"
  }

  var address: String { "\(directory)/c.sock" }
  var registry: String { "127.0.0.1:\(registryPort)" }

  /// Runs a body with both.
  /// - Parameter tables: of the configuration, which name the proxy plugin and who unpacks for it.
  static func with(tables: String, _ body: @Sendable (ContainerdFixture) async throws -> Void) async throws {
    try #require(
      FileStatus.exists("\(programs)/containerd"),
      "no containerd in \(programs): run `make engines`, or set NAGAYA_ENGINES")
    let directory = "/tmp/nstc\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    let port = Int.random(in: 30_000..<32_000)
    let shell = Shell(environment: [
      "PATH": "\(directory)/bin:\(programs):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "CONTAINERD_ADDRESS": "\(directory)/c.sock", "CONTAINERD_NAMESPACE": "default",
    ])
    let fixture = ContainerdFixture(directory: directory, registryPort: port, shell: shell)
    try Directory.make("\(directory)/bin")
    try SmallFile.write(Array(client(directory).utf8), to: "\(directory)/bin/ctr", permissions: 0o755)
    do {
      try await fixture.start(tables)
      try await body(fixture)
    } catch {
      let log = (try? await shell("grep -vE 'level=(info|debug)' \(directory)/log | tail -n 20").out) ?? ""
      await fixture.cleanUp()
      print(log)
      throw error
    }
    await fixture.cleanUp()
  }

  /// ctr, but that what containers print is not lost, and that containers of several tests may have one name (runc has one place for
  /// all of a machine's otherwise). ctr reads it from pipes until the process has ended; on a busy machine it
  /// may not have opened them by then. So whoever waits for a process has the shim write a file.
  private static func client(_ directory: String) -> String {
    """
    #!/bin/bash
    words=() at= own=() detached=
    for word in "$@"; do
      words+=("$word")
      case $word in
        -d | --detach) detached=1 ;;
        run | exec)
          [ -z "$at" ] && [ "$word" = run ] && own=(--runc-root \(directory)/runc)
          at=${at:-${#words[@]}}
          ;;
      esac
    done
    [ -n "$at" ] || exec \(programs)/ctr "$@"
    words=("${words[@]:0:at}" "${own[@]}" "${words[@]:at}")
    [ -z "$detached" ] || exec \(programs)/ctr "${words[@]}"
    output=$(mktemp \(directory)/output.XXXXXX)
    \(programs)/ctr "${words[@]:0:at}" --log-uri "file://$output" "${words[@]:at}"
    code=$?
    cat "$output"
    if ((code)); then cat "$output" >&2; fi
    rm -f "$output"
    exit $code

    """
  }

  /// What containerd must know of a snapshotter that keeps its files in `root`.
  static func tables(socket: String, root: String) -> String {
    """
    [plugins.'io.containerd.cri.v1.images']
      snapshotter = "nagaya"
    [proxy_plugins.nagaya]
      type = "snapshot"
      address = "\(socket)"
      capabilities = ["remap-ids"]
      [proxy_plugins.nagaya.exports]
        root = "\(root)"
        enable_remote_snapshot_annotations = "true"
    [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
      platform = "linux"
      snapshotter = "overlayfs"
    [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
      platform = "linux"
      snapshotter = "nagaya"
    """
  }

  /// Ends containerd and starts it with another configuration; containers go on.
  func restart(tables: String) async throws {
    try configure(tables)
    try await shell.succeed(
      """
      cd \(directory)
      p=$(cat containerd.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.02; done
      setsid containerd --config config.toml >> log 2>&1 < /dev/null & echo $! > containerd.pid
      until ctr version > /dev/null 2>&1; do kill -0 $(cat containerd.pid) || { cat log; exit 1; }; sleep 0.05; done
      """, seconds: 60)
  }

  private func configure(_ tables: String) throws {
    let configuration = """
      version = 3
      root = "\(directory)/root"
      state = "\(directory)/state"
      disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
      [debug]
        level = "debug"
      [grpc]
        address = "\(address)"
      [ttrpc]
        address = "\(address).ttrpc"
      \(tables)
      [plugins.'io.containerd.cri.v1.images'.pinned_images]
        sandbox = "\(registry)/pause:1"
      [plugins.'io.containerd.cri.v1.runtime']
        restrict_oom_score_adj = true
        cdi_spec_dirs = ["\(directory)/cdi"]
        [plugins.'io.containerd.cri.v1.runtime'.containerd]
          default_runtime_name = 'runc'
          [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
            runtime_type = 'io.containerd.runc.v2'
            [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
              BinaryName = "\(Self.programs)/runc"
              Root = "\(directory)/state/runc"
              SystemdCgroup = false
        [plugins.'io.containerd.cri.v1.runtime'.cni]
          conf_dir = "\(directory)/cni"
      [plugins.'io.containerd.internal.v1.opt']
        path = "\(directory)/opt"
      """
    try configuration.write(toFile: "\(directory)/config.toml", atomically: true, encoding: .utf8)
  }

  private func start(_ tables: String) async throws {
    try configure(tables)
    let registry = """
      version: 0.1
      log: {level: error, accesslog: {disabled: true}}
      storage: {filesystem: {rootdirectory: \(directory)/registry}, delete: {enabled: true}}
      http: {addr: "\(self.registry)"}
      """
    try registry.write(toFile: "\(directory)/registry.yml", atomically: true, encoding: .utf8)
    try await shell.succeed(
      """
      cd \(directory)
      setsid containerd --config config.toml > log 2>&1 < /dev/null & echo $! > containerd.pid
      setsid docker-registry serve registry.yml > registry.log 2>&1 < /dev/null & echo $! > registry.pid
      until ctr version > /dev/null 2>&1; do kill -0 $(cat containerd.pid) || { cat log; exit 1; }; sleep 0.05; done
      until (: < /dev/tcp/127.0.0.1/\(registryPort)) 2>/dev/null
      do kill -0 $(cat registry.pid) || { cat registry.log; exit 1; }; sleep 0.05; done
      """, seconds: 60)
  }

  private func cleanUp() async {
    _ = try? await shell(
      """
      cd \(directory)
      for id in $(ctr -n k8s.io containers list -q) $(ctr containers list -q); do
        for ns in default k8s.io; do ctr -n $ns tasks kill -s KILL $id; ctr -n $ns tasks delete -f $id; done
      done > /dev/null 2>&1
      for p in $(cat *.pid); do kill $p; for i in {1..100}; do kill -0 $p 2>/dev/null || break; sleep 0.05; done; kill -9 $p; done
      """, seconds: 180)
    // Shims, and what else of it goes on.
    LeftProcesses.kill(naming: "\(directory)/")
    SnapshotterFixture.clean(directory)
  }

  /// Makes an image of layers, each what a script makes of an empty directory, and pushes it to the registry.
  ///
  /// The first layer gets `/app`, a static program that prints the files it is given as arguments. A script may write
  /// `../archive` itself.
  /// - Parameter compression: of every layer.
  /// - Returns: digests of the layers' blobs; if they are not compressed, these are their diff IDs, too.
  @discardableResult
  func push(_ name: String, _ scripts: [String], compression: LayerCompression = .none, command: [String] = [])
    async throws -> [Digest]
  {
    let work = "\(directory)/image-\(UInt32.random(in: 0 ... .max))"
    try await shell.succeed(
      #"""
      mkdir -p \#(work)/blobs/sha256 && cd \#(work)
      cat > app.c <<'C'
      #include <stdio.h>
      #include <string.h>
      #include <unistd.h>
      int main(int count, char **names) {
        if (count > 1 && !strcmp(names[1], "wait")) for (;;) pause();
        if (count > 2 && !strcmp(names[1], "write")) { FILE *f = fopen(names[2], "w"); return !f || fputs("written", f) < 0 || fclose(f); }
        if (count < 2) printf("uid %d\n", getuid());
        for (int i = 1; i < count; i++) {
          FILE *f = fopen(names[i], "r");
          if (!f) { perror(names[i]); return 1; }
          for (int c; (c = fgetc(f)) != EOF;) putchar(c);
          if (ferror(f)) { perror(names[i]); return 2; }
          fclose(f);
        }
        return 0;
      }
      C
      cc -static -Os -o app app.c && strip app
      """#, seconds: 120)
    var layers: [Descriptor] = []
    var diffIDs: [Digest] = []
    for (index, script) in scripts.enumerated() {
      try await shell.succeed(
        """
        cd \(work) && mkdir \(index) && cd \(index) && umask 022 && \(index == 0 ? "cp ../app ." : ":")
        \(script)
        if [ -e ../archive ]; then mv ../archive ../layer
        else tar --format=posix --xattrs --xattrs-include='*' --numeric-owner -cf ../layer .; fi
        """)
      let layer = try blob("\(work)/layer", MediaType.layerTar, in: work)
      diffIDs.append(layer.digest)
      switch compression {
      case .none: layers.append(layer)
      case .gzip:
        try await shell.succeed("cd \(work) && gzip -nf layer")
        layers.append(try blob("\(work)/layer.gz", MediaType.layerGzip, in: work))
      case .zstd:
        try await shell.succeed("cd \(work) && zstd -qf layer")
        layers.append(try blob("\(work)/layer.zst", MediaType.layerZstd, in: work))
      }
    }
    var config = ImageConfig(platform: .current)
    config.entrypoint = ["/app"]
    config.command = command
    config.diffIDs = diffIDs
    let manifest = ImageManifest(
      config: try blob(config.json.encoded(), MediaType.config, in: work), layers: layers)
    var descriptor = try blob(manifest.json.encoded(), MediaType.manifest, in: work)
    descriptor.platform = .current
    descriptor.annotations = [ImageAnnotation.containerdName: "\(registry)/\(name)"]
    try Data(ImageIndex(manifests: [descriptor]).json.encoded()).write(to: URL(fileURLWithPath: "\(work)/index.json"))
    try await shell.succeed(
      """
      cd \(work) && echo '{"imageLayoutVersion":"1.0.0"}' > oci-layout
      tar -cf \(directory)/image.tar oci-layout index.json blobs
      ctr -n pushing images import --local --no-unpack \(directory)/image.tar
      ctr -n pushing images push --plain-http --local \(registry)/\(name)
      ctr -n pushing images remove --sync \(registry)/\(name)
      """, seconds: 120)
    return layers.map(\.digest)
  }

  private func blob(_ bytes: [UInt8], _ type: String, in work: String) throws -> Descriptor {
    let digest = Digest(of: bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(work)/blobs/sha256/\(digest.hex)"))
    return Descriptor(mediaType: type, digest: digest, size: Int64(bytes.count))
  }

  private func blob(_ path: String, _ type: String, in work: String) throws -> Descriptor {
    try blob(Array(try Data(contentsOf: URL(fileURLWithPath: path))), type, in: work)
  }

  /// The file in which the registry keeps a blob.
  func blob(_ digest: Digest) -> String {
    "\(directory)/registry/docker/registry/v2/blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)/data"
  }

  /// Pulls an image by the transfer service.
  func pull(_ name: String, snapshotter: String = "nagaya", namespace: String = "default") async throws {
    try await shell.succeed(
      "ctr -n \(namespace) images pull --plain-http --snapshotter \(snapshotter) \(registry)/\(name)", seconds: 120)
  }

  /// Runs a container to its end.
  /// - Returns: what it printed.
  func run(_ name: String, _ arguments: String = "", options: String = "") async throws -> String {
    let id = "c\(UInt32.random(in: 0 ... .max))"
    return try await shell.succeed(
      "ctr run --rm --snapshotter nagaya \(options) \(registry)/\(name) \(id) /app \(arguments)", seconds: 60)
  }

  /// The files of an image as a snapshotter shows them.
  /// - Parameter options: `--rw` for what a container gets.
  func files(
    of name: String, snapshotter: String, options: String = "", namespace: String = "default",
    timesOfDirectories: Bool = true
  ) async throws -> [String] {
    let target = "\(directory)/mounted-\(UInt32.random(in: 0 ... .max))"
    try await shell.succeed(
      "mkdir \(target) && ctr -n \(namespace) images mount \(options) --snapshotter \(snapshotter) \(registry)/\(name) \(target)",
      seconds: 60)
    let lines = try await LazyImagesTests.files(in: target, times: true, timesOfDirectories: timesOfDirectories)
    try await shell.succeed(
      "ctr -n \(namespace) images unmount --rm --snapshotter \(snapshotter) \(target)", seconds: 60)
    return lines
  }
}
