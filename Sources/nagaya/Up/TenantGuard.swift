import APIServer
import KubernetesAPI
import KubernetesClient
import Tenancy

/// Lets the API server ask room Tenancy about writes of namespaces.
struct TenantGuard: WriteAdmitting {
  let objects: any ObjectReading
  private let rule = TenantAdmission(controllerUser: UserInfo.component("tenancy").name)

  init(objects: any ObjectReading) { self.objects = objects }

  func refusal(of write: WriteReview) -> APIStatus? {
    guard write.resource == .namespaces else { return nil }
    let tenants = objects.objects(of: .tenants, namespace: nil).map(\.name)
    return rule.refusal(old: write.old, new: write.new, by: write.user, tenants: tenants)
  }
}
