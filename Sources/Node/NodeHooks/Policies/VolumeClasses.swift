import KubernetesAPI

/// What is known of volumes and of their classes, as far as it is about speed: names and numbers, not objects.
struct VolumeClasses: Sendable {
  /// What an object says of a volume's classes.
  struct Volume: Sendable, Hashable {
    var storageClass: String?
    var attributesClass: String?
    /// Whether it is of the driver whose parameters are understood here.
    var isOwn = false
  }

  struct Limits: Sendable, Hashable {
    var limits: VolumeIOLimits
    var sources: [String]
  }

  private var volumes: [String: Volume] = [:]
  private var storageClasses: [String: VolumeIOLimits] = [:]
  private var attributesClasses: [String: VolumeIOLimits] = [:]
  /// Names of classes that volumes share: kept once.
  private var names: Set<String> = []

  /// Whether no class says anything: most nodes need not look at volumes at all.
  var sayNothing: Bool { storageClasses.isEmpty && attributesClasses.isEmpty }

  func volume(_ name: String) -> Volume? { volumes[name] }

  /// What holds for a volume: the attributes class where it says something, else the storage class.
  func limits(of name: String) -> Limits? {
    guard let volume = volumes[name], volume.isOwn else { return nil }
    let attributes = volume.attributesClass.flatMap { attributesClasses[$0] } ?? VolumeIOLimits()
    let storage = volume.storageClass.flatMap { storageClasses[$0] } ?? VolumeIOLimits()
    let limits = attributes.or(storage)
    guard !limits.isEmpty else { return nil }
    var sources: [String] = []
    if !attributes.isEmpty { sources.append("volume attributes class \(volume.attributesClass ?? "")") }
    let kinds = VolumeIOLimits.Kind.allCases
    if kinds.contains(where: { attributes[$0] == nil && storage[$0] != nil }) {
      sources.append("storage class \(volume.storageClass ?? "")")
    }
    return Limits(limits: limits, sources: sources)
  }

  /// - Returns: whether something is different now.
  mutating func set(_ volume: Volume?, of name: String) -> Bool {
    guard volumes[name] != volume else { return false }
    volumes[name] = volume.map {
      Volume(
        storageClass: $0.storageClass.map { kept($0) }, attributesClass: $0.attributesClass.map { kept($0) },
        isOwn: $0.isOwn)
    }
    return true
  }

  mutating func set(_ limits: VolumeIOLimits, ofStorageClass name: String) -> Bool {
    Self.set(limits, name, &storageClasses)
  }

  mutating func set(_ limits: VolumeIOLimits, ofAttributesClass name: String) -> Bool {
    Self.set(limits, name, &attributesClasses)
  }

  private static func set(_ limits: VolumeIOLimits, _ name: String, _ all: inout [String: VolumeIOLimits]) -> Bool {
    let value = limits.isEmpty ? nil : limits
    guard all[name] != value else { return false }
    all[name] = value
    return true
  }

  private mutating func kept(_ name: String) -> String { names.insert(name).memberAfterInsert }
}

extension VolumeClasses.Volume {
  init(_ volume: KubernetesObject) {
    func name(_ key: String) -> String? { volume.spec[key].string.flatMap { $0.isEmpty ? nil : $0 } }
    self.init(
      storageClass: name("storageClassName"), attributesClass: name("volumeAttributesClassName"),
      isOwn: volume.spec["csi"]["driver"].string == VolumeParameters.driver)
  }
}

extension VolumeIOLimits {
  /// What a StorageClass or a VolumeAttributesClass says. One of another driver says nothing, nor does one that the API server
  /// would refuse: what holds without it, holds.
  init(class object: KubernetesObject) {
    let driver = object[object.kind == "StorageClass" ? "provisioner" : "driverName"].string
    self =
      driver == VolumeParameters.driver
      ? (try? VolumeParameters.limits(object["parameters"].strings)) ?? VolumeIOLimits() : VolumeIOLimits()
  }
}
