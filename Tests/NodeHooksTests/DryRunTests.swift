import KubernetesAPI
import NRI
import Testing

@testable import NodeHooks

struct DryRunTests {
  @Test func `a pod's containers are judged as a runtime would ask`() throws {
    let source = try PolicyTests.source(
      """
      apiVersion: nagaya.dev/v1alpha1
      kind: NodePolicy
      metadata: {name: small}
      spec: {resources: {memory: {max: 1Gi}, cpu: {max: 500m}}}
      """)
    let pod = KubernetesObject(
      json: try #require(
        try YAML.parseAll(
          """
          apiVersion: v1
          kind: Pod
          metadata:
            name: web
            annotations:
              ulimits.noderesource.dev/container.broken: "- {type: NOFILES}"
          spec:
            containers:
            - {name: large, image: i, resources: {limits: {memory: 2Gi, cpu: "1"}}}
            - {name: small, image: i, resources: {limits: {memory: 1Gi, cpu: 100m}}}
            - {name: broken, image: i}
          """
        ).first))
    let results = DryRun(HookDecider(source)).run(pod)
    #expect(results.map(\.container) == ["large", "small", "broken"])
    #expect(results[0].before == ["memory 2147483648", "cpu 1000m"])
    #expect(results[0].after == ["memory 1073741824, by policy small", "cpu 500m, by policy small"])
    #expect(results[1].after.isEmpty && results[1].refusal == nil)
    #expect(results[2].refusal?.contains("NOFILES") == true)
  }
}
