import CRI
import Foundation
import GRPCCore

/// Gets images according to their pull policy.
struct ImagePuller: Sendable {
  let runtime: RuntimeClient
  /// Time for one pull.
  static let limit = Duration.seconds(1800)

  /// - Returns: what the image resolved to.
  /// - Throws: `PodProblem` with the reasons that the kubelet gives.
  func pull(_ image: String, policy: String) async throws -> String {
    guard ImageReference.isValid(image) else {
      throw PodProblem(
        "InvalidImageName", "Failed to apply default image tag \"\(image)\": couldn't parse image name",
        event: "InspectFailed")
    }
    let present = try await runtime.images.imageStatus(
      .with { $0.image.image = image }, options: RuntimeClient.within(.seconds(30)))
    if policy != "Always", present.hasImage { return present.image.id }
    if policy == "Never" {
      throw PodProblem(
        "ErrImageNeverPull", "Container image \"\(image)\" is not present with pull policy of Never",
        event: "ErrImageNeverPull")
    }
    do {
      return try await runtime.images.pullImage(
        .with { $0.image.image = image }, options: RuntimeClient.within(Self.limit)
      ).imageRef
    } catch let error as RPCError {
      // An image that was loaded by hand has no registry behind it; with `Always` the present one is still the wanted one.
      if present.hasImage, !image.contains("@"), Self.isUnreachable(error.message) { return present.image.id }
      throw PodProblem("ErrImagePull", Self.shortened(error.message), event: "Failed")
    }
  }

  private static func isUnreachable(_ message: String) -> Bool {
    ["no such host", "connection refused", "i/o timeout", "network is unreachable", "server misbehaving"].contains {
      message.contains($0)
    }
  }

  /// The runtime nests the same sentence several times ("failed to pull and unpack image …: failed to resolve …"): the
  /// last part says what is wrong.
  static func shortened(_ message: String) -> String {
    var text = message
    if let range = text.range(of: "failed to resolve") ?? text.range(of: "failed to do request") {
      text = String(text[range.lowerBound...])
    }
    return text.count > 400 ? String(text.prefix(400)) + "…" : text
  }
}
