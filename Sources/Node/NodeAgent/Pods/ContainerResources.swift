import BoundedNumbers
import CRI
import JSONDocument
import KubernetesAPI

/// Requests and limits as the kernel's knobs.
enum ContainerResources {
  static let periodMicroseconds: Int64 = 100_000

  /// CPU shares follow the request (1024 a core, at least 2), the quota the limit, out-of-memory scores the class.
  static func linux(_ container: JSONValue, pod: KubernetesObject, nodeMemoryBytes: Int64)
    -> Runtime_V1_LinuxContainerResources
  {
    let resources = container["resources"]
    let cpuLimit = resources["limits"]["cpu"].quantity?.milliValue ?? 0
    let cpuRequest = resources["requests"]["cpu"].quantity?.milliValue ?? cpuLimit
    let memoryLimit = resources["limits"]["memory"].quantity?.value ?? 0
    let memoryRequest = resources["requests"]["memory"].quantity?.value ?? memoryLimit
    return .with {
      $0.cpuShares = shares(milli: cpuRequest)
      if cpuLimit > 0 {
        $0.cpuPeriod = periodMicroseconds
        $0.cpuQuota = max(1000, cpuLimit.clampedMultiplying(by: periodMicroseconds) / 1000)
      }
      if memoryLimit > 0 { $0.memoryLimitInBytes = memoryLimit }
      $0.oomScoreAdj = outOfMemoryScore(
        pod.qualityOfService, memoryRequest: memoryRequest, nodeMemoryBytes: nodeMemoryBytes)
    }
  }

  static func shares(milli: Int64) -> Int64 { min(262_144, max(2, milli.clampedMultiplying(by: 1024) / 1000)) }

  /// As "Node out of memory behavior" of the Kubernetes documentation ranks them, but all above what runs the platform.
  static func outOfMemoryScore(
    _ qualityOfService: String, memoryRequest: Int64, nodeMemoryBytes: Int64,
    scores: OutOfMemoryScores = .current
  ) -> Int64 {
    switch qualityOfService {
    case "Guaranteed": Int64(scores.guaranteed)
    case "BestEffort": Int64(scores.bestEffort)
    default: Int64(scores.burstable(memoryRequest: memoryRequest, nodeMemoryBytes: nodeMemoryBytes))
    }
  }
}
