import JSONDocument

/// The configuration files of a private containerd, as text.
struct ContainerdConfiguration: Hashable {
  let layout: ContainerdLayout
  let network: PodNetwork
  /// Image of pods' sandboxes; it is pinned, so that no image collection removes it.
  let sandboxImage: String
  let snapshotter: SnapshotterPlugin
  /// `oom_score_adj` of containerd.
  var outOfMemoryScore = OutOfMemoryScores.current.engine
  /// Where shims are counted; `nil`: with containerd.
  var shimControlGroup: String?

  /// A longer line of a container's output is split (tag `P` of the CRI's log format), so that it is never held whole.
  static let logLineBytes = 16 << 10

  /// `config.toml`, version 3 (containerd 2.x, docs/cri/config.md).
  var toml: String {
    func text(_ value: String) -> String { Self.basicString(value) }
    let cri = "plugins.'io.containerd.cri.v1"
    return """
      # Written by nagaya at every start; changes are lost.
      version = 3
      root = \(text(layout.root))
      state = \(text(layout.state))
      # Raising needs no capability: containers, shims and containerd go before the process that supervises them.
      oom_score = \(outOfMemoryScore)
      disabled_plugins = ['io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']

      [grpc]
        address = \(text(layout.socket))
        max_recv_message_size = 16777216
        max_send_message_size = 16777216

      [\(cri).images']
        snapshotter = \(text(snapshotter.name))
        [\(cri).images'.pinned_images]
          sandbox = \(text(sandboxImage))
        [\(cri).images'.registry]
          config_path = \(text("\(layout.root)/certs.d"))

      [\(cri).runtime']
        # Lowering a process's own OOM score needs CAP_SYS_RESOURCE, which nested machines do not have.
        restrict_oom_score_adj = true
        max_container_log_line_size = \(Self.logLineBytes)
        cdi_spec_dirs = [\(text("\(layout.root)/cdi"))]
        netns_mounts_under_state_dir = true
        [\(cri).runtime'.containerd]
          default_runtime_name = 'runc'
          [\(cri).runtime'.containerd.runtimes.runc]
            runtime_type = 'io.containerd.runc.v2'
            base_runtime_spec = \(text(layout.runtimeSpecification))
            [\(cri).runtime'.containerd.runtimes.runc.options]
              BinaryName = \(text(layout.program("runc")))
              Root = \(text("\(layout.state)/runc"))
              SystemdCgroup = false
              \(shimControlGroup.map { "ShimCgroup = \(text($0))" } ?? "")
        [\(cri).runtime'.cni]
          bin_dirs = [\(text(layout.networkPlugins))]
          conf_dir = \(text(layout.networkConfigurations))
          max_conf_num = 1
          use_internal_loopback = true

      [plugins.'io.containerd.internal.v1.opt']
        path = \(text("\(layout.root)/opt"))
      [plugins.'io.containerd.image-verifier.v1.bindir']
        bin_dir = \(text("\(layout.root)/image-verifier"))
      [plugins.'io.containerd.nri.v1.nri']
        socket_path = \(text(layout.nriSocket))
        plugin_path = \(text("\(layout.root)/nri/plugins"))
        plugin_config_path = \(text("\(layout.root)/nri/conf.d"))
        # By default one answer that takes 2 s drops the hooks, and containers are made without them: on a busy machine a
        # process may get no time for longer.
        plugin_registration_timeout = '30s'
        plugin_request_timeout = '10s'

      """ + snapshotter.tables
  }

  /// The network as a CNI configuration list (CNI specification 1.0.0): a routed link for each pod, whose address
  /// `host-local` gives out. Addresses are hidden behind the node's, and pods kept apart, by `PodFirewall`.
  var networkList: JSONValue {
    [
      "cniVersion": "1.0.0", "name": .string(network.name),
      "plugins": [
        [
          "type": "ptp", "ipMasq": false,
          "ipam": [
            "type": "host-local", "dataDir": .string(layout.networkLeases),
            "ranges": [[["subnet": .string(network.subnet.description), "gateway": .string(network.gateway)]]],
            "routes": [["dst": "0.0.0.0/0"]],
          ],
        ]
      ],
    ]
  }

  /// A TOML basic string (TOML 1.0, "String").
  static func basicString(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
