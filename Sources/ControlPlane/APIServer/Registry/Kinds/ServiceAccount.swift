import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Who pods are when they speak to the API.
  static let serviceAccount = ResourceDefinition(
    .serviceAccounts, singular: "serviceaccount", shortNames: ["sa"], schema: "io.k8s.api.core.v1.ServiceAccount",
    columns: [.name, .count("Secrets", "How many secrets it names.") { $0["secrets"].elements.count }, .age])
}
