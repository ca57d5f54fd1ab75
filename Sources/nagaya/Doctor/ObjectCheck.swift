import KubernetesAPI
import KubernetesClient

extension Examination {
  /// What the API says of nodes and tenants; nothing while Nagaya does not run.
  func objects() async -> [Diagnosis] {
    guard (try? InstanceLock.holder(layout)) != nil else { return [] }
    do {
      let transport = try HTTPSTransport(Kubeconfig.load(explicit: layout.kubeconfig).connection())
      let client = KubernetesClient(transport, userAgent: Session.userAgent)
      do {
        let found =
          Self.nodes(try await client.list(.nodes).items) + Self.levels(try await client.list(.namespaces).items)
        await transport.shutdown()
        return found
      } catch {
        await transport.shutdown()
        throw error
      }
    } catch {
      return [
        Diagnosis(
          .error, "node", "the API does not answer: \(error)", remedy: "see `nagaya status` and \(layout.log)")
      ]
    }
  }

  static func nodes(_ nodes: [KubernetesObject]) -> [Diagnosis] {
    nodes.flatMap { node in
      let wrong = node.status["conditions"].elements.filter {
        ($0["type"].string == "Ready") != ($0["status"].string == "True")
      }
      if wrong.isEmpty { return [Diagnosis(.ok, "node", "\(node.name) is ready")] }
      return wrong.map {
        Diagnosis(
          $0["type"].string == "Ready" ? .error : .warning, "node",
          "\(node.name): \($0["type"].string ?? "?") is \($0["status"].string ?? "?"): \($0["message"].string ?? "")",
          remedy: "kubectl describe node \(node.name)")
      }
    }
  }

  /// Environments in which a pod may become root on the node.
  static func levels(_ namespaces: [KubernetesObject]) -> [Diagnosis] {
    namespaces.filter { $0.labels["pod-security.kubernetes.io/enforce"] == "privileged" }.map {
      Diagnosis(
        .notice, "tenants", "pods of the namespace \($0.name) may become root on their node (level privileged)",
        remedy: "set its level to baseline or restricted, unless that is what it is for")
    }
  }
}
