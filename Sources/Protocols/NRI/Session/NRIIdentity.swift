/// Which plugin this is, and when the runtime asks it.
public struct NRIIdentity: Sendable, Hashable {
  public let name: String
  /// Two digits; plugins with lower ones are asked before.
  public let index: String

  /// `nil` for a name or an index that no runtime takes.
  public init?(name: String, index: String) {
    let isNamed = !name.isEmpty && name.utf8.count <= 128 && name.utf8.allSatisfy(Self.isAllowed)
    let isIndexed =
      index.utf8.count == 2 && index.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard isNamed, isIndexed else { return nil }
    self.name = name
    self.index = index
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// The events that a plugin wants to hear of.
public struct NRIEvents: OptionSet, Sendable, Hashable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public init(_ event: NRIEvent) { self.init(rawValue: 1 << Int32(event.rawValue - 1)) }

  public static let createContainer = NRIEvents(.createContainer)
  public static let startContainer = NRIEvents(.startContainer)
  public static let postStartContainer = NRIEvents(.postStartContainer)
  public static let updateContainer = NRIEvents(.updateContainer)
  public static let stopContainer = NRIEvents(.stopContainer)
  public static let removeContainer = NRIEvents(.removeContainer)
}
