import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Controllers

@Suite struct EndpointSliceTests {
  private func service(_ ports: JSONValue) -> KubernetesObject {
    var service = KubernetesObject(.services, namespace: "demo", name: "web")
    service.metadata["uid"] = "s"
    service.spec = ["selector": ["app": "web"], "ports": ports]
    return service
  }

  private func pod(_ number: Int, port: Int, name: String = "http", transport: String = "TCP") -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "demo", name: "p\(number)", labels: ["app": "web"])
    pod.spec["containers"] = [
      ["ports": [["name": .string(name), "containerPort": JSONValue(port), "protocol": .string(transport)]]]
    ]
    pod.status = [
      "podIP": .string("10.0.0.\(number)"), "conditions": [["type": "Ready", "status": "True"]], "phase": "Running",
    ]
    return pod
  }

  /// `address:port` of every endpoint.
  private func reached(_ slices: [KubernetesObject]) -> Set<String> {
    Set(
      slices.flatMap { slice in
        slice["endpoints"].elements.flatMap { endpoint in
          slice["ports"].elements.map { "\(endpoint["addresses"][0].string ?? ""):\($0["port"].int ?? 0)" }
        }
      })
  }

  @Test func eachPodIsReachedAtItsOwnPort() {
    let named = service([["name": "http", "port": 80, "targetPort": "http"]])
    let pods = [pod(1, port: 8080), pod(2, port: 9090), pod(3, port: 8080), pod(4, port: 7070, name: "other")]
    let slices = EndpointSlicePlan.slices(of: named, pods: pods)
    #expect(reached(slices) == ["10.0.0.1:8080", "10.0.0.3:8080", "10.0.0.2:9090"])
    // The pod without the port is listed all the same, without one.
    #expect(slices.count == 3 && Set(slices.map(\.name)).count == 3)
    #expect(slices.flatMap { $0["endpoints"].elements }.count == 4)
    // A slice keeps its name whoever else is there.
    let first = slices.first { $0["ports"][0]["port"].int == 9090 }
    #expect(EndpointSlicePlan.slices(of: named, pods: [pods[1]]).map(\.name) == [first?.name])
  }

  @Test func aNamedPortIsOfItsProtocol() {
    let service = service([["name": "dns", "port": 53, "protocol": "UDP", "targetPort": "http"]])
    #expect(reached(EndpointSlicePlan.slices(of: service, pods: [pod(1, port: 53)])).isEmpty)
    #expect(
      reached(EndpointSlicePlan.slices(of: service, pods: [pod(1, port: 53, transport: "UDP")])) == ["10.0.0.1:53"])
  }

  @Test func aNumberIsTheSameForAll() {
    let service = service([["name": "http", "port": 80, "targetPort": 8080]])
    let slices = EndpointSlicePlan.slices(of: service, pods: [pod(1, port: 8080), pod(2, port: 9090)])
    #expect(slices.count == 1 && reached(slices) == ["10.0.0.1:8080", "10.0.0.2:8080"])
    #expect(EndpointSlicePlan.slices(of: service, pods: []).count == 1)
  }

  @Test func aChangeOfThePortMovesPodsFromSliceToSlice() async throws {
    try await TestCluster.run { cluster in
      var service = KubernetesObject(.services, namespace: "demo", name: "web")
      service.spec = ["selector": ["app": "web"], "ports": [["name": "http", "port": 80, "targetPort": "http"]]]
      try await cluster.client.create(service, as: .services)
      try await cluster.client.create(TestCluster.deployment("web", replicas: 2, image: "a"), as: .deployments)
      try await eventually("rolled out") { try await cluster.isRolledOut("web") }
      var deployment = try await cluster.client.get(.deployments, namespace: "demo", name: "web")
      var containers = deployment.spec["template"]["spec"]["containers"].elements
      containers[0]["ports"] = [["name": "http", "containerPort": 9090]]
      deployment.spec["template"]["spec"]["containers"] = .array(containers)
      try await cluster.client.update(deployment, as: .deployments)
      try await eventually("all ready pods are reached at the new port") {
        let slices = try await cluster.client.list(.endpointSlices, namespace: "demo").items
        // At every moment no slice says a port that its pods do not have.
        for slice in slices {
          for endpoint in slice["endpoints"].elements {
            let name = endpoint["targetRef"]["name"].string ?? ""
            guard let pod = try await cluster.client.getIfPresent(.pods, namespace: "demo", name: name) else {
              continue
            }
            #expect(pod.spec["containers"][0]["ports"][0]["containerPort"] == slice["ports"][0]["port"])
          }
        }
        return slices.count == 1 && slices[0]["ports"][0]["port"].int == 9090
          && slices[0]["endpoints"].elements.count { $0["conditions"]["ready"].bool == true } == 2
      }
    }
  }
}
