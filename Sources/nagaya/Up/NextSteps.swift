import Foundation

/// What `nagaya up --detach` prints last: how to go on, ready to be copied.
struct NextSteps {
  let layout: Layout
  let instance: Instance
  let withSample: Bool

  func show() {
    let binaries = URL(fileURLWithPath: Installation.executable).deletingLastPathComponent().path
    let port = instance.edge.split(separator: ":").last.map(String.init) ?? "8443"
    var lines = ["", "Nagaya is ready.", ""]
    if withSample {
      lines += [
        "A sample app runs:", "",
        "  curl --cacert \(layout.pki)/ca.crt https://\(SampleApp.name).\(SampleApp.namespace).nagaya.localhost:\(port)/",
        "",
      ]
    }
    lines += [
      "Start your own:", "",
      "  export PATH=\(binaries):\(instance.engines)/bin:$PATH",
      "  export KUBECONFIG=\(layout.kubeconfig)",
      "  nagaya create app hello -n demo-dev --image=nagaya.local/hello:1 --port=8080 --volume data:/data:1Gi",
      "  curl --cacert \(layout.pki)/ca.crt https://hello.demo-dev.nagaya.localhost:\(port)/",
      "  kubectl get apps,deployments,pods,pvc,pv,nodes -A", "",
      "Stop everything with `nagaya down`; the data stays.",
    ]
    print(lines.joined(separator: "\n"))
  }
}
