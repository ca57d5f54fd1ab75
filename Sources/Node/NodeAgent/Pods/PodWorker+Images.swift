import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The images of a pod's containers: pulled as their policy says, with the pod's credentials, and not too often.
extension PodWorker {
  /// A pull that failed lately is not tried yet.
  struct PullWait: Error {
    let left: Duration
    let message: String
  }

  func image(of container: JSONValue) async throws -> String {
    let image = container["image"].string ?? ""
    if let pull = pulls[image], pull.until > .now {
      throw PullWait(left: pull.until - .now, message: "Back-off pulling image \"\(image)\": \(pull.message)")
    }
    do {
      let (events, pod) = (context.events, self.pod)
      let (id, isNew) = try await context.puller.pull(image, policy: container["imagePullPolicy"].string) {
        events.record(.normal, about: pod, reason: "Pulling", message: "Pulling image \"\(image)\"")
      } credentials: {
        try await self.imageCredentials()
      }
      if isNew {
        events.record(.normal, about: pod, reason: "Pulled", message: "Successfully pulled image \"\(image)\"")
      }
      pulls[image] = nil
      return id
    } catch let problem as PodProblem where problem.reason == "ErrImagePull" {
      var backOff = pulls[image]?.backOff ?? BackOff(initial: .seconds(10), maximum: .seconds(300))
      pulls[image] = (backOff, .now + backOff.next(), problem.message)
      pulls[image]?.backOff = backOff
      throw problem
    }
  }

  /// The image of a volume, as that of a container.
  func image(ofVolume reference: String, policy: String?) async throws -> String {
    do {
      var source: JSONValue = ["image": .string(reference)]
      source.set("imagePullPolicy", ifPresent: policy.map { .string($0) })
      let id = try await image(of: source)
      try await passGate(reference, id)
      return id
    } catch let wait as PullWait { throw PodProblem("ImagePullBackOff", wait.message) }
  }

  /// - Throws: `PodProblem` if nothing may be made of the image.
  func passGate(_ image: String, _ id: String) async throws {
    do { try await context.imageGate?(image, id) } catch is CancellationError { throw CancellationError() } catch {
      throw PodProblem("CreateContainerError", (error as? RPCError)?.message ?? "\(error)")
    }
  }

  /// What the pod's `imagePullSecrets` hold, or those of its service account when it names none.
  private func imageCredentials() async throws -> [ImageCredentials] {
    var references = pod.spec["imagePullSecrets"].elements
    if references.isEmpty {
      let account = try await context.client.getIfPresent(
        .serviceAccounts, namespace: pod.namespace, name: pod.spec["serviceAccountName"].string ?? "default")
      references = account?["imagePullSecrets"].elements ?? []
    }
    var secrets: [KubernetesObject] = []
    for name in references.compactMap({ $0["name"].string }) {
      if let secret = try await lookup(.secrets, name) {
        secrets.append(secret)
      } else {
        context.events.record(
          .warning, about: pod, reason: "FailedToRetrieveImagePullSecret",
          message: "Unable to retrieve the image pull secret \(name); attempting to pull the image may not succeed.")
      }
    }
    return ImageCredentials.all(in: secrets)
  }

  /// How long a problem may last until it is looked at again: soon after a failed pull the state says
  /// `ImagePullBackOff`; an image that is loaded by hand should start at once.
  static func patience(_ problem: PodProblem) -> Duration {
    ["ErrImagePull", "ImageNotFound"].contains(problem.reason) ? .seconds(1) : .seconds(5)
  }
}
