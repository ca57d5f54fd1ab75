/// Media types of image content (image-spec "Media Types", and Docker's older ones of the same meaning).
public enum MediaType {
  public static let index = "application/vnd.oci.image.index.v1+json"
  public static let manifest = "application/vnd.oci.image.manifest.v1+json"
  public static let config = "application/vnd.oci.image.config.v1+json"
  public static let layerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
  public static let layerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
  public static let layerTar = "application/vnd.oci.image.layer.v1.tar"
  public static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
  public static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
  public static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

  public static func isIndex(_ type: String) -> Bool { type == index || type == dockerManifestList }

  /// A tar archive, compressed or not, that becomes part of a root file system.
  public static func isLayer(_ type: String) -> Bool {
    [layerTar, layerGzip, layerZstd, dockerLayerGzip, "application/vnd.docker.image.rootfs.diff.tar"].contains(type)
  }
}

/// Annotation keys of image indexes and manifests.
public enum ImageAnnotation {
  /// The tag, for tools that read OCI layouts (image-spec "Annotations").
  public static let referenceName = "org.opencontainers.image.ref.name"
  /// The full name under which containerd imports the image.
  public static let containerdName = "io.containerd.image.name"
  public static let created = "org.opencontainers.image.created"
}
