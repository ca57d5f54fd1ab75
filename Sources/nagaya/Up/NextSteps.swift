import Foundation

/// What `nagaya up --detach` prints last: how to go on, ready to be copied.
struct NextSteps {
  /// The app of the README's tour.
  static let app = "hello"

  /// How far this instance's user is with the tour.
  enum Tour: CaseIterable {
    case fresh, appExists, tenantDeleted
  }

  let layout: Layout
  let instance: Instance
  let domain: String
  let withSample: Bool
  let tour: Tour

  func show() { Console.print(text) }

  var text: String {
    let binaries = URL(fileURLWithPath: Installation.executable).deletingLastPathComponent().path
    var lines = ["", "Nagaya is ready.", ""]
    if withSample { lines += ["A sample app runs:", "", "  \(call(SampleApp.name))", ""] }
    lines += [
      tour == .appExists ? "Go on:" : "Start your own:", "",
      "  export PATH=\(binaries):\(instance.engines)/bin:$PATH",
      "  export KUBECONFIG=\(layout.kubeconfig)",
    ]
    switch tour {
    case .fresh:
      lines += [
        "  nagaya create app \(Self.app) -n \(SampleApp.namespace) --image=nagaya.local/hello:1 --port=8080 "
          + "--volume data:/data:1Gi",
        "  \(call(Self.app))",
      ]
    case .appExists: lines += ["  nagaya describe app \(Self.app) -n \(SampleApp.namespace)", "  \(call(Self.app))"]
    case .tenantDeleted:
      lines += ["  nagaya get tenants", "  nagaya create app --help"]
    }
    lines += [
      "  kubectl get apps,deployments,pods,pvc,pv,nodes -A", "", "Stop everything with `nagaya down`; the data stays.",
    ]
    return lines.joined(separator: "\n")
  }

  private func call(_ app: String) -> String {
    let port = instance.edge.split(separator: ":").last.map(String.init) ?? "8443"
    return
      "curl --cacert \(layout.pki)/ca.crt https://\(app).\(SampleApp.environment).\(SampleApp.tenant).\(domain):\(port)/"
  }
}
