import BoundedNumbers
import JSONDocument
public import KubernetesAPI
import NRI

/// Says what hooks would change of a pod's containers, without a cluster and without a runtime.
public struct DryRun: Sendable {
  /// Of one container.
  public struct Result: Sendable, Hashable {
    public let container: String
    /// What it would have by itself, as far as the pod says it, and what it would get.
    public let before: [String]
    public let after: [String]
    /// Why it would not be made.
    public let refusal: String?
  }

  private let decider: HookDecider

  public init(_ decider: HookDecider) { self.decider = decider }

  public func run(_ pod: KubernetesObject) -> [Result] {
    let sandbox = NRIPodSandbox.with {
      $0.name = pod.name
      $0.namespace = pod.namespace.isEmpty ? "default" : pod.namespace
      $0.uid = pod.uid
      $0.labels = pod.labels
      $0.annotations = pod.annotations
    }
    let containers = pod.spec["initContainers"].elements + pod.spec["containers"].elements
    return containers.map { result(sandbox, Self.container($0)) }
  }

  private func result(_ pod: NRIPodSandbox, _ container: NRIContainer) -> Result {
    do throws(HookRefusal) {
      let decision = try decider.decide(pod, container)
      let before = decision.adjustment.entries.keys.sorted().compactMap { Self.present($0, container) }
      return Result(container: container.name, before: before, after: decision.lines, refusal: nil)
    } catch {
      return Result(container: container.name, before: [], after: [], refusal: error.description)
    }
  }

  /// As a kubelet would ask for it.
  private static func container(_ json: JSONValue) -> NRIContainer {
    .with {
      $0.name = json["name"].string ?? ""
      $0.env = json["env"].elements.compactMap { item in
        item["name"].string.map { "\($0)=\(item["value"].string ?? "")" }
      }
      $0.mounts = json["volumeMounts"].elements.compactMap { item in
        item["mountPath"].string.map { path in .with { $0.destination = path } }
      }
      let limits = json["resources"]["limits"].members
      if let memory = quantity(limits["memory"]) { $0.linux.resources.memory.limit.value = memory.value }
      if let cpu = quantity(limits["cpu"]) {
        $0.linux.resources.cpu.period.value = 100_000
        $0.linux.resources.cpu.quota.value = cpu.milliValue.clampedMultiplying(by: 100)
      }
    }
  }

  private static func quantity(_ json: JSONValue?) -> Quantity? {
    Quantity(json?.string ?? json?.int.map { String($0) } ?? "")
  }

  private static func present(_ field: Adjustment.Field, _ container: NRIContainer) -> String? {
    let resources = container.linux.resources
    return switch field {
    case .memory where resources.memory.hasLimit: "memory \(resources.memory.limit.value)"
    case .cpu: resources.cpu.milli.map { "cpu \($0)m" }
    case .environment(let name): container.env.first { $0.hasPrefix("\(name)=") }.map { "env \($0)" }
    default: nil
    }
  }
}
