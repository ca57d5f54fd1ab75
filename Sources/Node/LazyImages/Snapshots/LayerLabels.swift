import OCI

extension LayerRequest {
  /// Reads the labels that containerd (and, with older names, the clients of stargz-snapshotter) puts on a snapshot into
  /// which a layer is about to be unpacked. `nil` if they do not name image and layer.
  init?(labels: [String: String]) {
    func first(_ keys: String...) -> String? { keys.lazy.compactMap { labels[$0] }.first }
    guard
      let name = first("containerd.io/snapshot/cri.image-ref", "containerd.io/snapshot/remote/stargz.reference"),
      let image = try? ImageReference(name),
      let layer = first("containerd.io/snapshot/cri.layer-digest", "containerd.io/snapshot/remote/stargz.digest")
        .flatMap({ Digest($0) })
    else { return nil }
    let list = first("containerd.io/snapshot/cri.image-layers", "containerd.io/snapshot/remote/stargz.layers") ?? ""
    self.init(
      image: image, manifest: labels["containerd.io/snapshot/cri.manifest-digest"].flatMap { Digest($0) }, layer: layer,
      following: list.split(separator: ",").compactMap { Digest(String($0)) }, labels: labels)
  }
}
