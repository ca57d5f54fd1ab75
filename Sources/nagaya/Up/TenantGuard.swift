import APIServer
import KubernetesAPI
import KubernetesClient
import Tenancy

/// Lets the API server ask room Tenancy about writes of namespaces, and of pods in the namespaces of tenants.
struct TenantGuard: WriteAdmitting {
  let objects: any ObjectReading
  private let namespaces = TenantAdmission(controllerUser: UserInfo.component("tenancy").name)
  private let pods = PodSecurityAdmission()

  init(objects: any ObjectReading) { self.objects = objects }

  func refusal(of write: WriteReview) -> APIStatus? {
    if write.resource == .namespaces {
      let tenants = objects.objects(of: .tenants, namespace: nil).map(\.name)
      return namespaces.refusal(old: write.old, new: write.new, by: write.user, tenants: tenants)
    }
    guard PodSecurityAdmission.concerns(write.resource), let namespace = write.new?.namespace else { return nil }
    return pods.refusal(old: write.old, new: write.new, of: write.resource, by: write.user) {
      objects.object(of: .namespaces, namespace: "", name: namespace).flatMap(PodSecurityLevel.init(of:))
    }
  }
}
