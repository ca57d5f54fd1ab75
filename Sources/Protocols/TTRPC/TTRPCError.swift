/// Why a call failed: a code of `google.rpc.Code`, and words for people.
public struct TTRPCError: Error, Hashable, CustomStringConvertible {
  /// Codes as gRPC has them; numbers that this build does not know are kept.
  public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let cancelled = Code(rawValue: 1)
    public static let unknown = Code(rawValue: 2)
    public static let invalidArgument = Code(rawValue: 3)
    public static let deadlineExceeded = Code(rawValue: 4)
    public static let notFound = Code(rawValue: 5)
    public static let resourceExhausted = Code(rawValue: 8)
    public static let failedPrecondition = Code(rawValue: 9)
    public static let unimplemented = Code(rawValue: 12)
    public static let `internal` = Code(rawValue: 13)
    public static let unavailable = Code(rawValue: 14)

    public var description: String {
      switch self {
      case .cancelled: "cancelled"
      case .unknown: "unknown"
      case .invalidArgument: "invalid argument"
      case .deadlineExceeded: "deadline exceeded"
      case .notFound: "not found"
      case .resourceExhausted: "resource exhausted"
      case .failedPrecondition: "failed precondition"
      case .unimplemented: "unimplemented"
      case .internal: "internal"
      case .unavailable: "unavailable"
      default: "code \(rawValue)"
      }
    }
  }

  public let code: Code
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(message) (\(code))" }

  static func tooLarge(_ bytes: Int) -> TTRPCError {
    TTRPCError(.resourceExhausted, "a message of \(bytes) bytes is above the limit of \(TTRPCFrame.payloadLimit)")
  }

  static let connectionEnded = TTRPCError(.unavailable, "the connection has ended")

  /// Any error as one that a peer can be told.
  init(_ error: any Error) {
    switch error {
    case let error as TTRPCError: self = error
    case is CancellationError: self.init(.cancelled, "the call was cancelled")
    default: self.init(.unknown, "\(error)")
    }
  }
}

extension TTRPCWireStatus {
  init(_ error: TTRPCError) {
    self.init()
    code = error.code.rawValue
    // What travels is bounded, whatever an error says of itself.
    message = String(error.message.prefix(8192))
  }
}
