/// What containerd must be told to use the snapshotter (containerd's docs/PLUGINS.md, configuration version 3).
public struct ImagesPlugin: Sendable {
  /// The snapshotter's name in containerd.
  public static let name = "nagaya"
  private let configuration: LazyImagesConfiguration

  public init(_ configuration: LazyImagesConfiguration) { self.configuration = configuration }

  /// The plugin, and who uses it: Kubernetes and `ctr --snapshotter nagaya`.
  public var toml: String {
    """
    [plugins.'io.containerd.cri.v1.images']
      snapshotter = "\(Self.name)"

    \(pluginTables)
    """
  }

  /// The same without the table of the CRI.
  public var pluginTables: String {
    """
    [proxy_plugins.\(Self.name)]
      type = "snapshot"
      address = "\(configuration.snapshotSocket)"
      # Containers with a user namespace of their own need no copy of their files.
      capabilities = ["remap-ids"]
      [proxy_plugins.\(Self.name).exports]
        root = "\(configuration.snapshotRoot)"
        # The string, not the truth value: tells the snapshotter which layer it is asked for.
        enable_remote_snapshot_annotations = "true"

    # Naming one configuration replaces containerd's own list: overlayfs is named again.
    [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
      platform = "linux"
      snapshotter = "overlayfs"
    [[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
      platform = "linux"
      snapshotter = "\(Self.name)"

    """
  }
}
