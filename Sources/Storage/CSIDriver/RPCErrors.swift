import GRPCCore
import LinuxSystem
import VolumePools

extension RPCError {
  static func invalid(_ message: String) -> RPCError { RPCError(code: .invalidArgument, message: message) }

  static func missing(_ field: String) -> RPCError { invalid("\(field) is missing in the request; set it") }

  static func volumeNotFound(_ id: String) -> RPCError {
    RPCError(code: .notFound, message: "volume \(id.prefix(128)) not found on this node; it may have been deleted")
  }

  static func snapshotNotFound(_ id: String) -> RPCError {
    RPCError(code: .notFound, message: "snapshot \(id.prefix(128)) not found on this node; it may have been deleted")
  }

  /// The code the CSI specification gives for a failure of a pool or of the kernel.
  /// - Parameter isExpansion: a size that does not fit is then `OUT_OF_RANGE` (ControllerExpandVolume errors).
  init(mapping error: any Error, isExpansion: Bool = false) {
    switch error {
    case let error as RPCError: self = error
    case let error as VolumeError:
      let code: Code =
        switch error {
        case .invalidName: .invalidArgument
        case .invalidSize: .outOfRange
        case .notFound, .sourceNotFound: .notFound
        case .conflict, .snapshotConflict: .alreadyExists
        case .sourceUnfit: .invalidArgument
        case .noSpace, .poolFull: isExpansion ? .outOfRange : .resourceExhausted
        case .inUse, .foreignData, .growNeedsUnmount, .moving, .notCopied: .failedPrecondition
        case .poolInUse, .poolUnavailable: .unavailable
        case .failed: .internalError
        }
      self.init(code: code, message: "\(error)")
    case is CancellationError: self.init(code: .cancelled, message: "the call was cancelled; it is safe to repeat")
    default: self.init(code: .internalError, message: "\(error)")
    }
  }
}

/// Runs a call and maps whatever it throws.
func answering<Answer>(isExpansion: Bool = false, _ body: () async throws -> Answer) async throws -> Answer {
  do { return try await body() } catch { throw RPCError(mapping: error, isExpansion: isExpansion) }
}
