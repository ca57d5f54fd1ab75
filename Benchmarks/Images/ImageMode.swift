/// A way to get an image and run it.
enum ImageMode: String, CaseIterable {
  case overlayfs
  case erofs
  case soci
  case nagayaEstargz = "nagaya-estargz"
  case nagayaEstargzShared = "nagaya-estargz-shared"
  case nagayaEstargzProfiled = "nagaya-estargz-profiled"
  case nagayaZstdChunked = "nagaya-zstdchunked"
  case nagayaPlain = "nagaya-plain"

  /// containerd's name of the snapshotter.
  var snapshotter: String {
    switch self {
    case .overlayfs: "overlayfs"
    case .erofs: "erofs"
    case .soci: "soci"
    default: "nagaya"
    }
  }

  /// Which of the variants in the registry is pulled.
  var variant: ImageVariant {
    switch self {
    case .overlayfs, .erofs, .nagayaPlain: .plain
    case .soci: .soci
    case .nagayaEstargz, .nagayaEstargzProfiled: .estargz
    case .nagayaEstargzShared: .estargzShared
    case .nagayaZstdChunked: .zstdChunked
    }
  }

  var isOurs: Bool { snapshotter == "nagaya" }

  /// What stands in the table.
  var words: String {
    switch self {
    case .overlayfs: "overlayfs, full pull"
    case .erofs: "containerd's erofs snapshotter"
    case .soci: "SOCI, lazy"
    case .nagayaEstargz: "nagaya, eStargz"
    case .nagayaEstargzShared: "nagaya, eStargz, order learned elsewhere"
    case .nagayaEstargzProfiled: "nagaya, eStargz, order learned here"
    case .nagayaZstdChunked: "nagaya, zstd:chunked"
    case .nagayaPlain: "nagaya, plain layers, first pull"
    }
  }
}

/// An image of the benchmark; `scripts/build-bench-images` says what is in each.
enum BenchImage: String, CaseIterable {
  case python, node, nginx, postgres, etcd, large, deep, model

  /// Those with a program `/start` that prints `ready` once its server is.
  static let servers: [BenchImage] = [.python, .node, .nginx, .postgres, .etcd, .large]

  /// In what forms it is wanted: peers' only where they are measured.
  var variants: [ImageVariant] { Self.servers.contains(self) ? ImageVariant.allCases : [.plain, .estargz] }
}

/// An image of the benchmark, as somebody pushed it.
enum ImageVariant: String, CaseIterable {
  /// As it was packed: layers of tar and gzip.
  case plain
  /// The same layers, with SOCI's index beside them.
  case soci
  /// Converted by stargz-snapshotter's own tool.
  case estargz
  /// Converted by stargz-snapshotter's own tool.
  case zstdChunked = "zstdchunked"
  /// As `estargz`, with what its start read beside it.
  case estargzShared = "estargz-shared"

  /// Repository and tag.
  func name(of image: BenchImage) -> String { "bench/\(image.rawValue)-\(rawValue):latest" }
}
