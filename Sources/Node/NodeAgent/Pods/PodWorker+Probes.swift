import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging

/// Probes of running containers.
extension PodWorker {
  /// Starts the probes of a run; does nothing if they run already.
  func startProbes(_ record: ContainerRecord) {
    guard probes[record.id] == nil, !shouldEnd else { return }
    guard let container = (pod.containers + pod.initContainers).first(where: { $0["name"].string == record.name })
    else { return }
    if container["startupProbe"].isNull { started.insert(record.id) }
    if container["readinessProbe"].isNull {
      ready.insert(record.id)
    } else if wasReady(record) {
      // Adopted after a restart of the node agent: it keeps its readiness until a probe says otherwise.
      ready.insert(record.id)
      started.insert(record.id)
    }
    var tasks: [Task<Void, Never>] = []
    if !container["startupProbe"].isNull, !started.contains(record.id) {
      tasks.append(Task { await self.probe(.startup, container, record) })
    } else {
      tasks += steadyProbes(container, record)
    }
    probes[record.id] = tasks
    noteStatusChange()
  }

  func stopProbes(_ id: String) {
    for task in probes.removeValue(forKey: id) ?? [] { task.cancel() }
    ready.remove(id)
    started.remove(id)
  }

  private func wasReady(_ record: ContainerRecord) -> Bool {
    pod.status["containerStatuses"].elements.contains {
      $0["containerID"].string == "containerd://\(record.id)" && $0["ready"].bool == true
    }
  }

  private func steadyProbes(_ container: JSONValue, _ record: ContainerRecord) -> [Task<Void, Never>] {
    [ProbeSchedule.Kind.readiness, .liveness].compactMap { kind in
      guard !container["\(kind.rawValue)Probe"].isNull else { return nil }
      return Task { await self.probe(kind, container, record) }
    }
  }

  private func probe(_ kind: ProbeSchedule.Kind, _ container: JSONValue, _ record: ContainerRecord) async {
    let specification = container["\(kind.rawValue)Probe"]
    var schedule = ProbeSchedule(kind, specification)
    while !Task.isCancelled {
      do { try await Task.sleep(for: schedule.nextDelay()) } catch { return }
      let answer = await context.prober.ask(
        specification, container: container, containerID: record.id, address: sandbox?.address ?? "",
        timeout: schedule.timeout)
      if Task.isCancelled { return }
      let change = schedule.record(answer.isSuccess)
      if case .failure(let message) = answer, change == false || schedule.isSuccessful == true {
        context.events.record(
          .warning, about: pod, reason: "Unhealthy", message: "\(kind.title) probe failed: \(message)")
      }
      guard let change else { continue }
      switch (kind, change) {
      case (.readiness, true): ready.insert(record.id)
      case (.readiness, false): ready.remove(record.id)
      case (.startup, true):
        started.insert(record.id)
        probes[record.id, default: []] += steadyProbes(container, record)
      case (.startup, false), (.liveness, false): condemned[record.id] = "failed \(kind.rawValue) probe"
      case (.liveness, true): break
      }
      noteStatusChange()
      wake.raise()
      if kind == .startup || condemned[record.id] != nil { return }
    }
  }
}

extension ProbeSchedule.Kind {
  var title: String {
    switch self {
    case .startup: "Startup"
    case .readiness: "Readiness"
    case .liveness: "Liveness"
    }
  }
}
