import KubernetesAPI

extension CommandFailure {
  /// A refusal of the API, with what the user can do about it.
  init(_ status: APIStatus) {
    let remedy =
      switch status.reason {
      case .unauthorized:
        "the server does not know you: check the user of your kubeconfig (nagaya config view)"
      case .forbidden where status.message.contains("must specify"): NextStep.unsaidShare(in: status.message)
      case .forbidden:
        status.message.contains("quota")
          ? "ask for less, or ask the platform's team for a larger quota of the tenant"
          : "ask an admin of the tenant for a role there (nagaya get tenants), or use another --context"
      case .notFound where status.message.hasPrefix("namespaces "):
        "a namespace is <tenant>-<environment>; see nagaya get tenants, or make one with nagaya create tenant"
      case .notFound: "see what is there with nagaya get …, perhaps in another namespace (-n, -A)"
      case .alreadyExists: "choose another name, or delete the old one first"
      case .conflict: "somebody else changed it at the same time: run the command again"
      case .invalid, .badRequest: "correct what is named above and run the command again"
      case .tooManyRequests: "the server is busy: wait a little and run the command again"
      case .serviceUnavailable, .timeout: "is Nagaya running? see nagaya status; start it with nagaya up"
      case .internalError: "this is the server's fault; its log says more (nagaya status names it)"
      case .requestEntityTooLarge: "the object is too large"
      default: ""
      }
    self.init(status.message, remedy: remedy)
  }
}
