import CRI
import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// Keeps the Node object and its Lease true.
struct NodeRegistration: Sendable {
  let configuration: NodeConfiguration
  let facts: MachineFacts
  let client: KubernetesClient
  let runtime: RuntimeClient
  let logger: Logger

  static let leaseNamespace = "kube-node-lease"
  /// The whole status is written at least this often.
  static let statusPeriod = Duration.seconds(300)

  /// It looks at its object at least this often: whoever did not hear of the node for a while says there that its state is
  /// unknown, and only the node itself can say how it is.
  static let lookPeriod = Duration.seconds(20)

  /// Registers, then beats until cancelled.
  func run() async {
    var isRegistered = false
    var lastStatus: ContinuousClock.Instant?
    var lastLook = ContinuousClock.now
    var lastConditions: [Bool] = []
    var (pressure, lastPressure) = (NodePressure(), NodePressure())
    while !Task.isCancelled {
      do {
        if !isRegistered {
          try await register()
          isRegistered = true
        }
        let conditions = await runtimeConditions()
        if ContinuousClock.now - lastLook >= Self.lookPeriod {
          lastLook = .now
          let node = try await client.get(.nodes, name: configuration.name)
          if node.condition("Ready")?["status"].string == "Unknown" { lastStatus = nil }
        }
        let isDue = lastStatus.map { ContinuousClock.now - $0 > Self.statusPeriod } ?? true
        if let reading = NodePressure.read(directory: configuration.directory) {
          pressure = pressure.following(reading)
        }
        if isDue || conditions.map(\.isReady) != lastConditions || pressure != lastPressure {
          try await writeStatus(conditions, pressure)
          lastStatus = .now
          lastPressure = pressure
          lastConditions = conditions.map(\.isReady)
        }
        try await renewLease()
      } catch let status as APIStatus where status.isNotFound {
        isRegistered = false
        lastStatus = nil
      } catch {
        if Task.isCancelled { return }
        // Nobody has heard of this node for a while.
        lastStatus = nil
        logger.warning("the node's state can't be written", metadata: ["error": "\(error)"])
      }
      let pause = lastConditions.allSatisfy(\.self) && isRegistered ? configuration.heartbeat : .seconds(1)
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }

  private var labels: [String: String] {
    configuration.labels.merging([
      "kubernetes.io/hostname": configuration.name, "kubernetes.io/os": "linux",
      "kubernetes.io/arch": facts.architecture, "topology.local.nagaya.dev/node": configuration.name,
    ]) { _, own in own }
  }

  private func register() async throws {
    if let present = try await client.getIfPresent(.nodes, name: configuration.name) {
      let missing = labels.filter { present.labels[$0.key] != $0.value }
      if !missing.isEmpty {
        try await client.patch(.nodes, name: configuration.name, ["metadata": ["labels": .strings(missing)]])
      }
    } else {
      var node = KubernetesObject(.nodes, name: configuration.name, labels: labels)
      node.spec["podCIDR"] = .string(configuration.network.subnet.description)
      node.spec["podCIDRs"] = [.string(configuration.network.subnet.description)]
      do { try await client.create(node, as: .nodes) } catch let status as APIStatus where status.isAlreadyExists {}
    }
    if try await client.getIfPresent(.namespaces, name: Self.leaseNamespace) == nil {
      do {
        try await client.create(KubernetesObject(.namespaces, name: Self.leaseNamespace), as: .namespaces)
      } catch let status as APIStatus where status.isAlreadyExists {}
    }
  }

  private struct Condition {
    let isReady: Bool
    let message: String
  }

  /// Runtime and network, as the runtime says.
  private func runtimeConditions() async -> [Condition] {
    do {
      let answer = try await runtime.runtime.status(
        Runtime_V1_StatusRequest(), options: RuntimeClient.within(.seconds(5)))
      return ["RuntimeReady", "NetworkReady"].map { type in
        let condition = answer.status.conditions.first { $0.type == type }
        return Condition(
          isReady: condition?.status ?? false,
          message: "\(type): \(condition?.message ?? "the runtime does not say")")
      }
    } catch {
      let message = (error as? RPCError)?.message ?? "\(error)"
      return [Condition(isReady: false, message: "container runtime is down: \(message)")]
    }
  }

  private func writeStatus(_ runtimeConditions: [Condition], _ pressure: NodePressure) async throws {
    let node = try await client.get(.nodes, name: configuration.name)
    let now = Timestamp.now.description
    let version = try? await runtime.runtime.version(
      Runtime_V1_VersionRequest(), options: RuntimeClient.within(.seconds(5)))
    func condition(_ type: String, _ status: Bool, _ reason: String, _ message: String) -> JSONValue {
      let old = node.status["conditions"].elements.first { $0["type"].string == type }
      let text = status ? "True" : "False"
      return [
        "type": .string(type), "status": .string(text), "reason": .string(reason), "message": .string(message),
        "lastHeartbeatTime": .string(now),
        "lastTransitionTime": old?["status"].string == text
          ? (old?["lastTransitionTime"] ?? .string(now)) : .string(now),
      ]
    }
    let memory = condition(
      "MemoryPressure", pressure.memory != nil,
      pressure.memory == nil ? "KubeletHasSufficientMemory" : "KubeletHasInsufficientMemory",
      pressure.memory ?? "the node has sufficient memory available")
    let disk = condition(
      "DiskPressure", pressure.disk != nil,
      pressure.disk == nil ? "KubeletHasNoDiskPressure" : "KubeletHasDiskPressure",
      pressure.disk ?? "the node has no disk pressure")
    let bad = runtimeConditions.filter { !$0.isReady }
    let capacity: JSONValue = [
      "cpu": .string("\(facts.cores)"), "memory": .string("\(facts.memoryBytes >> 10)Ki"),
      "ephemeral-storage": .string("\(facts.diskBytes >> 10)Ki"), "pods": .string("\(configuration.maximumPods)"),
    ]
    let port = try await configuration.apiPort?()
    let status: JSONValue = [
      "daemonEndpoints": ["kubeletEndpoint": ["Port": .integer(Int64(port ?? 0))]],
      "capacity": capacity, "allocatable": capacity,
      "addresses": [
        ["type": "InternalIP", "address": .string(configuration.address)],
        ["type": "Hostname", "address": .string(configuration.name)],
      ],
      "conditions": [
        memory, disk,
        condition("PIDPressure", false, "KubeletHasSufficientPID", "the node has sufficient PID available"),
        bad.isEmpty
          ? condition("Ready", true, "KubeletReady", "nagaya node agent is ready")
          : condition("Ready", false, "KubeletNotReady", bad.map(\.message).joined(separator: ", ")),
      ],
      "nodeInfo": [
        "machineID": .string(facts.machineID), "systemUUID": .string(facts.machineID), "bootID": .string(facts.bootID),
        "kernelVersion": .string(facts.kernel), "osImage": .string(facts.osImage),
        "containerRuntimeVersion": .string(
          "\(version?.runtimeName ?? "containerd")://\(version?.runtimeVersion ?? "")"),
        "kubeletVersion": "v1.36.0-nagaya", "kubeProxyVersion": "", "operatingSystem": "linux",
        "architecture": .string(facts.architecture),
      ],
    ]
    try await client.patch(.nodes, name: configuration.name, subresource: "status", ["status": status])
  }

  private func renewLease() async throws {
    let now = Timestamp.now.microTime
    let spec: JSONValue = ["spec": ["holderIdentity": .string(configuration.name), "renewTime": .string(now)]]
    do {
      try await client.patch(.leases, namespace: Self.leaseNamespace, name: configuration.name, spec)
    } catch let status as APIStatus where status.isNotFound {
      var lease = KubernetesObject(.leases, namespace: Self.leaseNamespace, name: configuration.name)
      lease.spec = [
        "holderIdentity": .string(configuration.name), "leaseDurationSeconds": 40, "renewTime": .string(now),
      ]
      if let node = try await client.getIfPresent(.nodes, name: configuration.name) {
        lease.ownerReferences = [OwnerReference(to: node, isController: false, blocksOwnerDeletion: false)]
      }
      try await client.create(lease, as: .leases)
    }
  }
}
