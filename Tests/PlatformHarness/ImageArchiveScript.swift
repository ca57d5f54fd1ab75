/// A script that compiles a program of one C file and packs it as an OCI archive with one uncompressed layer and several images.
public enum ImageArchiveScript {
  /// Arguments: source file, output archive, directory for scratch, then pairs of an image's name and a mode: the first
  /// argument of the program, which is `/box`.
  public static let text = #"""
    set -euo pipefail
    source=$1 archive=$2 scratch=$3; shift 3
    rm -rf "$scratch"; mkdir -p "$scratch"/{rootfs/tmp,rootfs/etc,layout/blobs/sha256}
    cc -static -Os -o "$scratch/rootfs/box" "$source"
    strip "$scratch/rootfs/box"
    printf 'root:x:0:0:root:/:/box\nuser:x:1234:1234:user:/:/box\n' >"$scratch/rootfs/etc/passwd"
    blobs=$scratch/layout/blobs/sha256
    put() { local digest; digest=$(sha256sum "$1" | cut -d' ' -f1); mv "$1" "$blobs/$digest"; echo "$digest"; }
    tar -C "$scratch/rootfs" --owner=0 --group=0 -cf "$scratch/layer" .
    size=$(stat -c %s "$scratch/layer"); layer=$(put "$scratch/layer")
    machine=$(uname -m); case $machine in x86_64) machine=amd64;; aarch64) machine=arm64;; esac
    entries=""
    # Arguments come in pairs: an image's name and the mode its program starts in.
    while [ $# -gt 1 ]; do
      cat >"$scratch/config" <<JSON
    {"architecture":"$machine","os":"linux","config":{"Entrypoint":["/box"],"Cmd":["$2"],"WorkingDir":"/"},
     "rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
    JSON
      configsize=$(stat -c %s "$scratch/config"); config=$(put "$scratch/config")
      cat >"$scratch/manifest" <<JSON
    {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
     "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:$config","size":$configsize},
     "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:$layer","size":$size}]}
    JSON
      manifestsize=$(stat -c %s "$scratch/manifest"); manifest=$(put "$scratch/manifest")
      entries="$entries${entries:+,}{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$manifest\",\"size\":$manifestsize,\"annotations\":{\"io.containerd.image.name\":\"$1\"}}"
      shift 2
    done
    echo "{\"schemaVersion\":2,\"manifests\":[$entries]}" >"$scratch/layout/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$scratch/layout/oci-layout"
    tar -C "$scratch/layout" -cf "$archive" oci-layout index.json blobs
    """#
}
