import CRI
import Foundation
import GRPCCore
import OCI

/// Gets images according to their pull policy.
struct ImagePuller: Sendable {
  let runtime: RuntimeClient
  let access: ImageAccess
  /// Time for one pull.
  static let limit = Duration.seconds(1800)
  /// Images of this domain come from `nagaya image load` alone; no registry is asked for them.
  static let localDomain = "nagaya.local"

  /// - Parameters:
  ///   - willPull: is called before a registry is asked for an image.
  ///   - credentials: who may pull what; asked for only when it matters.
  /// - Returns: what the image resolved to, and whether it came from a registry now.
  /// - Throws: `PodProblem` with the reasons that the kubelet gives, and `ImageNotFound` for a local image that was not
  ///   loaded.
  func pull(
    _ image: String, policy: String?, willPull: () -> Void,
    credentials: @escaping @Sendable () async throws -> [ImageCredentials]
  ) async throws -> (id: String, isNew: Bool) {
    let reference: ImageReference
    do { reference = try ImageReference(image) } catch {
      throw PodProblem(
        "InvalidImageName", "Failed to apply default image tag \"\(image)\": couldn't parse image name: \(error)",
        event: "InspectFailed")
    }
    let policy = policy ?? reference.defaultPullPolicy
    // By its full name: the runtime takes short texts for the beginnings of image ids.
    let name = reference.description
    let present = try await runtime.images.imageStatus(
      .with { $0.image.image = name }, options: RuntimeClient.within(.seconds(30)))
    if reference.registry == Self.localDomain {
      if present.hasImage { return (present.image.id, false) }
      throw PodProblem(
        "ImageNotFound",
        "image \"\(image)\" is not on this node, and \(Self.localDomain) has no registry: load it with "
          + "nagaya image load FILE")
    }
    let allowed = Credentials(all: credentials, reference: reference)
    let isAllowed: @Sendable () async throws -> Bool = {
      try await access.allows(present.image.id, named: reference) { try await allowed.proofs() }
    }
    if policy != "Always", present.hasImage {
      if try await isAllowed() { return (present.image.id, false) }
      try await prove(present.image, reference, allowed)
      return (present.image.id, false)
    }
    if policy == "Never" {
      throw PodProblem(
        "ErrImageNeverPull", "Container image \"\(image)\" is not present with pull policy of Never",
        event: "ErrImageNeverPull")
    }
    willPull()
    do {
      return (
        try await pull(reference, before: present.hasImage ? present.image.id : nil, as: allowed.entries()), true
      )
    } catch let error as RPCError {
      // An image that was loaded by hand has no registry behind it; with `Always` the present one is still the wanted one.
      if present.hasImage, reference.digest == nil, Self.isUnreachable(error.message), try await isAllowed() {
        return (present.image.id, false)
      }
      throw PodProblem("ErrImagePull", Self.shortened(error.message))
    }
  }

  /// Forgets who proved what about images that are gone.
  func forgetMissing() async throws {
    let remembered = try await access.snapshot()
    let present = try await runtime.images.listImages(.init(), options: RuntimeClient.within(.seconds(60))).images
    try await access.forget(remembered.images.subtracting(present.map(\.id)), since: remembered)
  }

  /// The pod's credentials for one image, read when they are first needed.
  private struct Credentials: Sendable {
    let all: @Sendable () async throws -> [ImageCredentials]
    let reference: ImageReference

    func entries() async throws -> [ImageCredentials] { try await all().filter { $0.apply(to: reference) } }
    func proofs() async throws -> [ImageAccess.Proof] { try await entries().map(\.proof) }
  }

  /// Asks the registry whether the pod may have an image that is here because others might: by its digest, so that what is
  /// here stays what the name means.
  private func prove(_ image: Runtime_V1_Image, _ reference: ImageReference, _ credentials: Credentials) async throws {
    let repository = "\(reference.registry)/\(reference.repository)"
    let digests = image.repoDigests.compactMap { try? ImageReference($0) }
    let exact = digests.first { "\($0.registry)/\($0.repository)" == repository && $0.digest != nil } ?? reference
    do {
      guard try await pull(exact, before: image.id, as: credentials.entries()) == image.id else {
        throw PodProblem("ErrImagePull", "the registry has another image \"\(reference)\" by now; delete the old one")
      }
    } catch let error as RPCError {
      throw PodProblem(
        "ErrImagePull",
        "image \"\(reference)\" is on this node, but was pulled with others' credentials, and the registry does not give "
          + "it to this pod: \(Self.shortened(error.message))")
    }
  }

  /// Tries one after the other of those who may; without any, nobody in particular.
  private func pull(_ reference: ImageReference, before image: String?, as credentials: [ImageCredentials]) async throws
    -> String
  {
    var failure: (any Error)?
    for entry in credentials.isEmpty ? [nil] : credentials.map(Optional.some) {
      try await access.begin(reference, before: image)
      do {
        let pulled = try await runtime.images.pullImage(
          .with {
            $0.image.image = reference.description
            guard let entry else { return }
            $0.auth = .with {
              $0.username = entry.user
              $0.password = entry.password
            }
          }, options: RuntimeClient.within(Self.limit)
        ).imageRef
        try await access.pulled(pulled, named: reference, for: entry?.proof ?? .anybody)
        return pulled
      } catch {
        await access.failed(reference, isCutOff: Self.isCutOff(error))
        failure = error
      }
    }
    throw failure ?? CancellationError()
  }

  /// Whether the runtime may go on with a pull whose call failed.
  private static func isCutOff(_ error: any Error) -> Bool {
    guard let error = error as? RPCError else { return true }
    return [.cancelled, .deadlineExceeded].contains(error.code)
      || error.code == .unavailable && !isUnreachable(error.message)
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
