/// Parameters of storage classes and volume attributes classes of the driver of local volumes.
///
/// They are read in this one place: by the API server when classes are written, by the driver, and by the nodes' hooks, which
/// enforce what is about speed.
public enum VolumeParameters {
  /// The name of the CSI driver.
  public static let driver = "local.nagaya.dev"
  /// The pool that volumes are made in.
  public static let pool = "\(driver)/pool"
  /// Kubernetes' own, which say nothing to the driver.
  public static let reservedPrefix = "csi.storage.k8s.io/"

  /// What is wrong with a parameter.
  public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public let value: String
    public let reason: String

    public var description: String { "parameter \"\(name.prefix(128))\": \"\(value.prefix(64))\" \(reason)" }
  }

  /// The parameter that says a limit: `local.nagaya.dev/readBytesPerSecond`.
  public static func name(of kind: VolumeIOLimits.Kind) -> String { "\(driver)/\(kind.rawValue)" }

  /// What parameters say of speed; others are passed over.
  public static func limits(_ parameters: [String: String]) throws(Fault) -> VolumeIOLimits {
    var limits = VolumeIOLimits()
    for kind in VolumeIOLimits.Kind.allCases {
      guard let text = parameters[name(of: kind)] else { continue }
      guard let value = VolumeIOLimits.value(text) else {
        throw Fault(
          name: name(of: kind), value: text, reason: "must be a quantity of at least 1 a second, such as 20M or 500")
      }
      limits[kind] = value
    }
    return limits
  }

  /// Everything that is wrong with the parameters of a class.
  /// - Parameter isMutable: of a volume attributes class: what can change while a volume is used.
  public static func faults(_ parameters: [String: String], isMutable: Bool) -> [Fault] {
    var faults: [Fault] = []
    let kinds = Dictionary(uniqueKeysWithValues: VolumeIOLimits.Kind.allCases.map { (name(of: $0), $0) })
    for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
      if kinds[name] != nil {
        do throws(Fault) { _ = try limits([name: value]) } catch { faults.append(error) }
      } else if isMutable || !(name == pool || name.hasPrefix(reservedPrefix)) {
        let known = kinds.keys.sorted() + (isMutable ? [] : [pool])
        faults.append(
          Fault(
            name: name, value: value,
            reason: isMutable && name == pool
              ? "can't change: a volume stays in its pool"
              : "is for no parameter of \(driver), which has \(known.joined(separator: ", "))"))
      }
    }
    return faults
  }
}
