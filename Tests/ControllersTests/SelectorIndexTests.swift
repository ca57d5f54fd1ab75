import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Controllers

@Suite struct SelectorIndexTests {
  private func pod(_ name: String, _ labels: [String: String], in namespace: String = "n") -> KubernetesObject {
    KubernetesObject(.pods, namespace: namespace, name: name, labels: labels)
  }

  private func service(_ name: String, _ selector: [String: String], in namespace: String = "n") -> KubernetesObject {
    var service = KubernetesObject(.services, namespace: namespace, name: name)
    service.spec["selector"] = .strings(selector)
    return service
  }

  @Test func `indexes find what a look at everything finds`() {
    var random = SeededGenerator(seed: 3)
    func labels(_ most: Int) -> [String: String] {
      var labels: [String: String] = [:]
      for _ in 0..<Int.random(in: 0...most, using: &random) {
        labels[["app", "tier", "pod-template-hash"].randomElement(using: &random) ?? ""] = ["a", "b"].randomElement(
          using: &random)
      }
      return labels
    }
    for _ in 0..<30 {
      let pods = ObjectCache(indexes: [SelectorIndexes.labels])
      let services = ObjectCache(indexes: [SelectorIndexes.selector])
      for index in 0..<20 {
        pods.store(pod("p\(index)", labels(3), in: ["n", "m"].randomElement(using: &random) ?? "n"))
        services.store(service("s\(index)", labels(2), in: ["n", "m"].randomElement(using: &random) ?? "n"))
      }
      func matches(_ service: KubernetesObject, _ pod: KubernetesObject) -> Bool {
        let selector = service.spec["selector"].strings
        return service.namespace == pod.namespace && !selector.isEmpty
          && selector.allSatisfy { pod.labels[$0.key] == $0.value }
      }
      for service in services.list() {
        let found = SelectorIndexes.pods(
          in: service.namespace, selectedBy: service.spec["selector"].strings, pods)
        #expect(
          found.filter { matches(service, $0) }.map(\.name)
            == pods.list().filter { matches(service, $0) }.map(\.name))
      }
      for pod in pods.list() {
        let found = SelectorIndexes.services(selecting: pod, services).map(\.name).sorted()
        #expect(found == services.list().filter { matches($0, pod) }.map(\.name).sorted())
      }
    }
  }

  @Test func `a pod's and a service's change cost the same among 10,000 pods of a namespace as among 100`() {
    func decodes(pods count: Int) -> [Int] {
      let pods = ObjectCache(indexes: [SelectorIndexes.labels])
      let services = ObjectCache(indexes: [SelectorIndexes.selector])
      for index in 0..<count {
        let labels = ["app": "a\(index / 5)", "tenant": "t", "pod-template-hash": "h\(index / 5)"]
        pods.store(pod("p\(index)", labels))
        if index % 5 == 0 { services.store(service("s\(index / 5)", ["app": "a\(index / 5)", "tenant": "t"])) }
      }
      let before = (pods.decodeCount, services.decodeCount)
      let found = SelectorIndexes.pods(in: "n", selectedBy: ["app": "a3", "tenant": "t"], pods)
      #expect(found.map(\.name) == (15..<20).map { "p\($0)" })
      #expect(SelectorIndexes.services(selecting: found[0], services).map(\.name) == ["s3"])
      return [pods.decodeCount - before.0, services.decodeCount - before.1]
    }
    #expect(decodes(pods: 100) == [5, 1] && decodes(pods: 10_000) == [5, 1])
  }
}
