// swift-tools-version: 6.2
import PackageDescription

// The house: a folder under Sources/ is a floor, a target is a room.
// Rooms import rooms of floors below, never above; see docs/architecture.md.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

/// A library room of the house. Every one above the formats may lock.
func room(
  _ name: String, on floor: String, _ dependencies: [Target.Dependency] = [],
  exclude: [String] = []
) -> Target {
  let locks: [Target.Dependency] = floor == "Formats" || name == "Locking" ? [] : ["Locking"]
  return .target(
    name: name, dependencies: dependencies + locks, path: "Sources/\(floor)/\(name)",
    exclude: ["README.md"] + exclude, swiftSettings: strict)
}

/// Generated protocol code is kept out of the strict settings: its style is the generator's.
func wire(_ name: String) -> Target {
  .target(
    name: name, dependencies: [.protobuf, .grpc, .grpcProtobuf], path: "Sources/Protocols/\(name)",
    exclude: ["README.md", "protos"], swiftSettings: [.swiftLanguageMode(.v6)])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies + ["Locking", "TestSupport"], path: "Tests/\(name)Tests",
    swiftSettings: strict)
}

extension Target.Dependency {
  static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
  static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
  static let collections = product(name: "Collections", package: "swift-collections")
  static let crypto = product(name: "Crypto", package: "swift-crypto")
  static let grdb = product(name: "GRDB", package: "GRDB.swift")
  static let grpc = product(name: "GRPCCore", package: "grpc-swift-2")
  static let grpcProtobuf = product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
  static let grpcTransport = product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
  static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
  static let hummingbirdHTTP2 = product(name: "HummingbirdHTTP2", package: "hummingbird")
  static let hummingbirdTesting = product(name: "HummingbirdTesting", package: "hummingbird")
  static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
  static let logging = product(name: "Logging", package: "swift-log")
  static let nioCore = product(name: "NIOCore", package: "swift-nio")
  static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
  static let nioHTTP2 = product(name: "NIOHTTP2", package: "swift-nio-http2")
  static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
  static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
  static let nioTLS = product(name: "NIOTLS", package: "swift-nio")
  static let protobuf = product(name: "SwiftProtobuf", package: "swift-protobuf")
  static let serviceLifecycle = product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
  static let subprocess = product(name: "Subprocess", package: "swift-subprocess")
  static let x509 = product(name: "X509", package: "swift-certificates")
  static let yams = product(name: "Yams", package: "Yams")
}

let package = Package(
  name: "nagaya",
  platforms: [.macOS(.v15)],  // grpc-swift-2 declares it and SwiftPM checks it, on Linux too
  products: [.executable(name: "nagaya", targets: ["nagaya"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
  ],
  targets: [
    // Formats: bytes in, bytes out.
    room("BoundedNumbers", on: "Formats"),
    room("JSONDocument", on: "Formats"),
    room("Charts", on: "Formats"),
    .systemLibrary(
      name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CZstd", path: "Sources/System/CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"])]),
    room("OCI", on: "Formats", ["BoundedNumbers", "JSONDocument", "CZlib", "CZstd", .crypto]),
    room("EROFS", on: "Formats", ["OCI"]),
    room("EStargz", on: "Formats", ["OCI", "JSONDocument"]),

    // Protocols: wire only.
    wire("CSI"),
    wire("ContainerdAPI"),
    wire("CRI"),
    room("HTTP2Connections", on: "Protocols", ["BoundedNumbers", .nioCore, .nioHTTP2]),
    room(
      "GRPCSockets", on: "Protocols",
      ["HTTP2Connections", "LinuxSystem", .grpc, .grpcTransport, .nioCore, .serviceLifecycle]),

    room("TTRPC", on: "Protocols", [.collections, .nioCore, .nioPosix, .protobuf], exclude: ["protos"]),
    room("NRI", on: "Protocols", ["TTRPC", .protobuf], exclude: ["protos"]),

    // System: the kernel and the machine.
    .target(name: "CLinux", path: "Sources/System/CLinux", exclude: ["README.md"]),
    room("Locking", on: "System"),
    room("LinuxSystem", on: "System", ["CLinux", .subprocess, .logging]),
    room("ProcessSupervision", on: "System", ["CLinux", "JSONDocument", "LinuxSystem", .logging]),
    room("ProcessMetrics", on: "System", ["LinuxSystem"]),
    room("CertificateAuthority", on: "System", [.x509, .crypto, .nioSSL]),

    // Kubernetes: object model and client.
    room("KubernetesAPI", on: "Kubernetes", ["BoundedNumbers", "JSONDocument", .yams]),
    room(
      "KubernetesClient", on: "Kubernetes",
      [
        "BoundedNumbers", "KubernetesAPI", "JSONDocument", "ProcessMetrics", .asyncHTTPClient, .nioCore, .nioHTTP1,
        .nioPosix, .nioSSL, .logging, .yams,
        .serviceLifecycle, .collections,
      ]),

    // ControlPlane: the machine room.
    room("ObjectStore", on: "ControlPlane", [.grdb, .collections, .crypto, .logging]),
    room(
      "APIServer", on: "ControlPlane",
      [
        "BoundedNumbers", "ObjectStore", "KubernetesAPI", "KubernetesClient", "JSONDocument", "CertificateAuthority",
        "HTTP2Connections", "LinuxSystem", "ProcessMetrics", .hummingbird, .hummingbirdTLS, .hummingbirdHTTP2, .nioCore,
        .nioPosix,
        .nioHTTP2, .nioSSL,
        .nioTLS,
        .x509, .crypto, .logging, .serviceLifecycle, .collections,
      ]),
    room(
      "Controllers", on: "ControlPlane",
      ["BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", .logging, .serviceLifecycle]),
    room(
      "PodScheduler", on: "ControlPlane",
      ["BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", .logging, .serviceLifecycle]),

    // Node: what runs beside the container runtime.
    room(
      "NodeAgent", on: "Node",
      [
        "BoundedNumbers", "ContainerdAPI", "KubernetesAPI", "KubernetesClient", "JSONDocument", "OCI", "CRI", "CSI",
        "GRPCSockets", "LinuxSystem", "ProcessMetrics", .grpc,
        .grpcTransport, .asyncHTTPClient, .nioCore, .nioPosix, .subprocess, .logging,
        .serviceLifecycle,
      ]),

    room(
      "RegistryClient", on: "Node",
      [
        "JSONDocument", "KubernetesAPI", "LinuxSystem", "OCI", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
        .nioSSL,
        .subprocess, .logging,
      ]),
    room(
      "LayerStore", on: "Node",
      [
        "BoundedNumbers", "CLinux", "EROFS", "EStargz", "JSONDocument", "LinuxSystem", "OCI", .collections, .logging,
        .serviceLifecycle,
      ]),
    room(
      "LazyImages", on: "Node",
      [
        "CLinux", "ContainerdAPI", "CRI", "EROFS", "EStargz", "GRPCSockets", "JSONDocument", "KubernetesAPI",
        "LayerStore", "LinuxSystem", "OCI", "ProcessMetrics", "RegistryClient", .grdb, .grpc, .grpcProtobuf,
        .grpcTransport,
        .hummingbird, .nioCore, .logging, .serviceLifecycle,
      ]),

    room(
      "NodeHooks", on: "Node",
      [
        "BoundedNumbers", "JSONDocument", "KubernetesAPI", "KubernetesClient", "LinuxSystem", "NRI", "ProcessMetrics",
        "TTRPC", .hummingbird, .logging, .protobuf, .serviceLifecycle, .yams,
      ]),

    // Storage: volumes and their places.
    room("Placement", on: "Storage"),
    room("PlacementSimulator", on: "Storage", ["Placement"]),
    room(
      "PlacementTraces", on: "Storage", ["Placement", "PlacementSimulator", "KubernetesAPI", "JSONDocument"]),
    room("VolumePools", on: "Storage", ["BoundedNumbers", "LinuxSystem", "JSONDocument", .subprocess, .logging]),
    room(
      "VolumeTransfer", on: "Storage",
      [
        "CertificateAuthority", "JSONDocument", "LinuxSystem", "VolumePools", .crypto, .logging, .nioCore, .nioPosix,
        .nioSSL,
      ]),
    room(
      "VolumeMoves", on: "Storage",
      [
        "JSONDocument", "KubernetesAPI", "KubernetesClient", "VolumePools", "VolumeTransfer", .logging,
        .serviceLifecycle,
      ]),
    room(
      "CSIDriver", on: "Storage",
      [
        "BoundedNumbers", "CSI", "GRPCSockets", "KubernetesAPI", "VolumePools", "LinuxSystem", .grpc, .grpcTransport,
        .logging, .serviceLifecycle,
      ]),
    room(
      "StorageControllers", on: "Storage",
      [
        "BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", "CSI", "GRPCSockets", "Placement",
        "PodScheduler",
        .grpc, .grpcTransport, .logging, .serviceLifecycle,
      ]),

    room(
      "PlacementReports", on: "Storage",
      ["Placement", "PlacementSimulator", "PlacementTraces", "Charts", "JSONDocument", "LinuxSystem"]),

    // Platform: what users come for.
    room(
      "Tenancy", on: "Platform",
      ["BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", .logging, .serviceLifecycle]),
    room(
      "Applications", on: "Platform",
      ["BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", .logging, .serviceLifecycle]),
    room(
      "Edge", on: "Platform",
      [
        "BoundedNumbers", "KubernetesAPI", "KubernetesClient", "JSONDocument", "CertificateAuthority",
        "HTTP2Connections", "LinuxSystem", "ProcessMetrics", .nioCore, .nioPosix, .nioSSL, .nioTLS, .nioHTTP1,
        .nioHTTP2,
        .logging,
        .serviceLifecycle,
      ]),

    .executableTarget(
      name: "nagaya",
      dependencies: [
        "APIServer", "Applications", "BoundedNumbers", "CertificateAuthority", "CLinux", "Controllers", "CRI", "CSI",
        "CSIDriver", "Edge",
        "EStargz", "JSONDocument", "KubernetesAPI", "KubernetesClient", "LayerStore", "LazyImages", "LinuxSystem",
        "Locking", "NodeAgent", "NodeHooks", "NRI", "ObjectStore", "OCI", "RegistryClient", "Placement",
        "PlacementReports",
        "PlacementSimulator", "PlacementTraces", "PodScheduler", "ProcessMetrics", "ProcessSupervision",
        "StorageControllers", "Tenancy",
        "VolumeMoves", "VolumePools", "VolumeTransfer", .argumentParser, .asyncHTTPClient, .hummingbird, .logging,
        .nioCore, .serviceLifecycle,
        .subprocess,
      ], path: "Sources/nagaya", exclude: ["README.md"], swiftSettings: strict),

    .executableTarget(
      name: "benchmarks",
      dependencies: [
        "APIServer", "Charts", "CertificateAuthority", "CSI", "Edge", "EROFS", "EStargz", "GRPCSockets", "JSONDocument",
        "KubernetesAPI", "KubernetesClient",
        "LinuxSystem", "Locking", "NodeAgent", "NodeHooks", "NRI", "NRIHarness", "TTRPC", "OCI", "ObjectStore",
        "Placement",
        "PlacementSimulator", "PlacementTraces", "PlatformHarness", "RegistryClient", "TestSupport", "VolumePools",
        "VolumeTransfer", .argumentParser, .asyncHTTPClient, .grpc, .grpcTransport,
        .logging, .nioCore, .nioHTTP1, .nioPosix, .nioSSL, .protobuf,
      ], path: "Benchmarks", exclude: ["README.md", "Placement"], swiftSettings: strict),
    .executableTarget(
      name: "placement-benchmark",
      dependencies: ["Locking", "Placement", "PlacementReports", "PlacementSimulator", "PlacementTraces"],
      path: "Benchmarks/Placement", swiftSettings: strict),

    tests("BoundedNumbers", ["BoundedNumbers"]),
    tests("JSONDocument", ["JSONDocument"]),
    tests("Charts", ["Charts"]),
    tests("OCI", ["OCI", "JSONDocument", "PlatformHarness"]),
    tests("EROFS", ["EROFS", "OCI", "LinuxSystem", "PlatformHarness"]),
    tests("EStargz", ["EStargz", "EROFS", "OCI", "JSONDocument", "LinuxSystem", "PlatformHarness"]),
    tests("KubernetesAPI", ["KubernetesAPI", "JSONDocument"]),
    tests(
      "KubernetesClient",
      [
        "KubernetesClient", "KubernetesAPI", "JSONDocument", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
        .serviceLifecycle,
      ]),
    tests("ObjectStore", ["ObjectStore"]),
    tests(
      "APIServer",
      [
        "APIServer", "ObjectStore", "KubernetesAPI", "KubernetesClient", "JSONDocument",
        "CertificateAuthority", "LinuxSystem", .crypto, .x509, .logging, .nioCore, .nioPosix, .nioSSL,
        .serviceLifecycle,
      ]),
    tests(
      "Controllers",
      ["Controllers", "APIServer", "KubernetesClient", "KubernetesAPI", "JSONDocument"]),
    tests(
      "PodScheduler",
      [
        "PodScheduler", "APIServer", "CertificateAuthority", "KubernetesClient", "KubernetesAPI", "JSONDocument",
        "LinuxSystem",
        .logging, .serviceLifecycle,
      ]),
    tests(
      "Guide",
      [
        "nagaya", "APIServer", "KubernetesAPI", "KubernetesClient", "JSONDocument", "PlatformHarness", .argumentParser,
        .logging,
        .serviceLifecycle,
      ]),
    tests("LinuxSystem", ["LinuxSystem", "CLinux"]),
    tests("ProcessSupervision", ["ProcessSupervision", "LinuxSystem", .logging]),
    tests("ProcessMetrics", ["ProcessMetrics"]),
    tests("HTTP2Connections", ["HTTP2Connections", .nioCore]),
    tests("TTRPC", ["TTRPC", .nioCore, .protobuf]),
    tests("NRI", ["NRI", "NRIHarness", "TTRPC", .protobuf]),
    tests(
      "GRPCSockets",
      ["GRPCSockets", "CSI", "LinuxSystem", .grpc, .grpcTransport, .logging, .nioCore, .nioPosix, .serviceLifecycle]),
    tests(
      "NodeAgent",
      [
        "NodeAgent", "APIServer", "BoundedNumbers", "CertificateAuthority", "CLinux", "CSIDriver", "KubernetesAPI",
        "KubernetesClient", "JSONDocument", "OCI", "PodScheduler", "StorageControllers", "VolumePools",
        "Controllers", "VolumeMoves", "VolumeTransfer", "CRI", "CSI", "PlatformHarness", .hummingbird, .grpc,
        .grpcTransport, .nioCore, .nioPosix, .logging,
        .serviceLifecycle,
      ]),
    tests(
      "RegistryClient",
      [
        "RegistryClient", "CertificateAuthority", "OCI", "JSONDocument", "PlatformHarness", .nioCore,
        .nioHTTP1, .nioPosix, .nioSSL, .logging,
      ]),
    tests(
      "LayerStore",
      [
        "LayerStore", "LayerStoreDriver", "EROFS", "EStargz", "JSONDocument", "OCI", "LinuxSystem", "PlatformHarness",
        .subprocess, .logging,
      ]),
    tests(
      "LazyImages",
      [
        "LazyImages", "ContainerdAPI", "CRI", "GRPCSockets", "LayerStore", "RegistryClient", "EROFS", "EStargz", "OCI",
        "JSONDocument", "LinuxSystem", "PlatformHarness", .grpc, .grpcTransport, .subprocess, .logging,
        .serviceLifecycle,
      ]),
    tests(
      "NodeHooks",
      [
        "NodeHooks", "NRI", "NRIHarness", "TTRPC", "CRI", "GRPCSockets", "JSONDocument", "KubernetesAPI", "LinuxSystem",
        "PlatformHarness", .grpc, .logging, .nioCore, .serviceLifecycle, .subprocess,
      ]),
    tests("Placement", ["Placement"]),
    tests("PlacementSimulator", ["PlacementSimulator", "Placement"]),
    tests(
      "PlacementReports", ["PlacementReports", "PlacementTraces", "PlacementSimulator", "Placement", "JSONDocument"]),
    tests("PlacementTraces", ["PlacementTraces", "PlacementSimulator", "Placement"]),
    tests(
      "VolumeTransfer", ["VolumeTransfer", "VolumePools", "LinuxSystem", .logging, .nioCore, .nioPosix]),
    tests("VolumePools", ["VolumePools", "JSONDocument", "LinuxSystem", .logging]),
    tests(
      "CSIDriver",
      ["CSIDriver", "CSI", "VolumePools", "LinuxSystem", .grpc, .grpcTransport, .logging, .serviceLifecycle]),
    tests(
      "StorageControllers",
      [
        "StorageControllers", .logging, .serviceLifecycle, "APIServer", "CSIDriver", "VolumePools", "KubernetesClient",
        "VolumeMoves", "VolumeTransfer", "LinuxSystem",
        "KubernetesAPI", "JSONDocument", "Placement", "PodScheduler",
      ]),
    tests(
      "Applications",
      [
        "Applications", "Tenancy", "APIServer", "KubernetesClient", "KubernetesAPI", "JSONDocument", .logging,
      ]),
    tests(
      "Edge",
      [
        "Edge", "CertificateAuthority", "KubernetesClient", "KubernetesAPI", "JSONDocument", .nioCore, .nioPosix,
        .nioHTTP1, .nioSSL, .subprocess, .logging,
      ]),
    tests("CertificateAuthority", ["CertificateAuthority", .crypto, .x509, .nioCore, .nioPosix, .nioSSL]),
    tests(
      "Command",
      [
        "nagaya", "APIServer", "CertificateAuthority", "JSONDocument", "KubernetesAPI", "KubernetesClient",
        "NodeHooks", "ObjectStore",
        "OCI", "PlatformHarness", "PodScheduler", "StorageControllers", .argumentParser,
      ]),
    .executableTarget(
      name: "LayerStoreDriver",
      dependencies: ["CLinux", "EStargz", "JSONDocument", "LayerStore", "LinuxSystem", "Locking", "OCI", .logging],
      path: "Tests/LayerStoreDriver", swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Locking"], path: "Tests/TestSupport", exclude: ["README.md"],
      swiftSettings: strict),
    .target(
      name: "NRIHarness",
      dependencies: [
        "CRI", "GRPCSockets", "LinuxSystem", "Locking", "NRI", "PlatformHarness", "TestSupport", "TTRPC", .grpc,
        .protobuf,
      ],
      path: "Tests/NRIHarness", swiftSettings: strict),
    .target(
      name: "PlatformHarness", dependencies: ["JSONDocument", "Locking", .nioCore, .nioPosix, .nioSSL, .subprocess],
      path: "Tests/PlatformHarness",
      swiftSettings: strict),
    tests(
      "Attack",
      [
        "APIServer", "Applications", "BoundedNumbers", "CertificateAuthority", "Controllers", "CSIDriver", "Edge",
        "JSONDocument",
        "KubernetesAPI", "KubernetesClient", "LinuxSystem", "nagaya", "NodeAgent", "NodeHooks", "ObjectStore",
        "PlatformHarness", "PodScheduler", "StorageControllers", "Tenancy", "VolumePools", .logging, .serviceLifecycle,
      ]),
    tests("Package", ["PlatformHarness"]),
    .testTarget(
      name: "IntegrationTests", dependencies: ["PlatformHarness", "JSONDocument", "TestSupport"],
      path: "Tests/Integration", swiftSettings: strict),
  ]
)
