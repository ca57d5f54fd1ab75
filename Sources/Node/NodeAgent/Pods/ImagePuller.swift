import CRI
import Foundation
import GRPCCore
import OCI

/// Gets images according to their pull policy.
struct ImagePuller: Sendable {
  let runtime: RuntimeClient
  /// Time for one pull.
  static let limit = Duration.seconds(1800)
  /// Images of this domain come from `nagaya image load` alone; no registry is asked for them.
  static let localDomain = "nagaya.local"

  /// - Parameter credentials: who may pull what; asked for only when a registry is, right before it.
  /// - Returns: what the image resolved to, and whether it came from a registry now.
  /// - Throws: `PodProblem` with the reasons that the kubelet gives, and `ImageNotFound` for a local image that was not
  ///   loaded.
  func pull(_ image: String, policy: String?, credentials: @Sendable () async throws -> [ImageCredentials])
    async throws -> (id: String, isNew: Bool)
  {
    let reference: ImageReference
    do { reference = try ImageReference(image) } catch {
      throw PodProblem(
        "InvalidImageName", "Failed to apply default image tag \"\(image)\": couldn't parse image name: \(error)",
        event: "InspectFailed")
    }
    let policy = policy ?? reference.defaultPullPolicy
    let present = try await runtime.images.imageStatus(
      .with { $0.image.image = image }, options: RuntimeClient.within(.seconds(30)))
    if policy != "Always" || reference.registry == Self.localDomain, present.hasImage {
      return (present.image.id, false)
    }
    if reference.registry == Self.localDomain {
      throw PodProblem(
        "ImageNotFound",
        "image \"\(image)\" is not on this node, and \(Self.localDomain) has no registry: load it with "
          + "nagaya image load FILE")
    }
    if policy == "Never" {
      throw PodProblem(
        "ErrImageNeverPull", "Container image \"\(image)\" is not present with pull policy of Never",
        event: "ErrImageNeverPull")
    }
    let allowed = try await credentials().filter { $0.apply(to: reference) }
    do { return (try await pull(image, as: allowed), true) } catch let error as RPCError {
      // An image that was loaded by hand has no registry behind it; with `Always` the present one is still the wanted one.
      if present.hasImage, reference.digest == nil, Self.isUnreachable(error.message) {
        return (present.image.id, false)
      }
      throw PodProblem("ErrImagePull", Self.shortened(error.message))
    }
  }

  /// Tries one after the other of those who may; without any, nobody in particular.
  private func pull(_ image: String, as credentials: [ImageCredentials]) async throws -> String {
    var failure: (any Error)?
    for entry in credentials.isEmpty ? [nil] : credentials.map(Optional.some) {
      do {
        return try await runtime.images.pullImage(
          .with {
            $0.image.image = image
            guard let entry else { return }
            $0.auth = .with {
              $0.username = entry.user
              $0.password = entry.password
            }
          }, options: RuntimeClient.within(Self.limit)
        ).imageRef
      } catch { failure = error }
    }
    throw failure ?? CancellationError()
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

extension ImageReference {
  /// The default of `imagePullPolicy`: `Always` for `:latest` or no tag, `IfNotPresent` otherwise.
  var defaultPullPolicy: String { digest == nil && tag == "latest" ? "Always" : "IfNotPresent" }
}
