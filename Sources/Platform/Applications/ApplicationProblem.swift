/// Why an Application is not ready, in one word for tables and a sentence that says what to do.
public struct ApplicationProblem: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Reason: String, Sendable, Hashable {
    case imageNotFound = "ImageNotFound"
    case imagePull = "ErrImagePull"
    case imagePullBackOff = "ImagePullBackOff"
    case invalidImage = "InvalidImageName"
    case containerConfig = "CreateContainerConfigError"
    case crashLoop = "CrashLoop"
    case portNotOpen = "PortNotOpen"
    case notReady = "NotReady"
    case volumePending = "VolumePending"
    case volumeTooLarge = "VolumeTooLarge"
    case volumeShrink = "VolumeShrink"
    case unschedulable = "Unschedulable"
    case quotaExceeded = "QuotaExceeded"
    case nameTaken = "NameTaken"
    case invalid = "Invalid"
    case forbidden = "Forbidden"
    case deleting = "Deleting"
    case scaledToZero = "ScaledToZero"
    case progressing = "Progressing"
  }

  public let reason: Reason
  public let message: String

  public init(_ reason: Reason, _ message: String) {
    self.reason = reason
    self.message = message
  }

  public var description: String { "\(reason.rawValue): \(message)" }

  /// It may come right by itself within the normal course of a start: the condition is Unknown, not False.
  public var isProgress: Bool { reason == .progressing }
}
