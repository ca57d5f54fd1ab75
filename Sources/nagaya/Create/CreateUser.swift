import ArgumentParser
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem

struct CreateUser: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Make a kubeconfig for another user of this machine's Nagaya.",
    discussion: """
      Signs a client certificate with the platform's authority, so it runs as root, where nagaya up runs. A user may do \
      what tenants say (nagaya create tenant --admin, --edit, --view), and nothing before. The kubeconfig is the user's \
      key: hand it over safely. nagaya revoke user takes it back; what it may do can be taken away at any time.

      The kubeconfig names the API as users elsewhere reach it: by the first --api-name of nagaya up, or its --api-address. \
      Without these the API is reached on this machine alone.

      EXAMPLES
        nagaya create user alice -n shop-dev --output alice.kubeconfig
        nagaya create user bob --group auditors --days 7 > bob.kubeconfig
      """)

  @OptionGroup var directories: DirectoryOptions

  @Argument(help: "The user's name, as tenants name it.") var name: String

  @Option(help: ArgumentHelp("A group that the user is in; may be repeated.", valueName: "name")) var group: [String] =
    []

  @Option(help: ArgumentHelp("How long the kubeconfig is good.", valueName: "days")) var days = 90

  @Option(
    help: ArgumentHelp(
      "Who has the kubeconfig issued: it ends when that user is revoked. Default: who runs sudo, else root.",
      valueName: "user"))
  var issuedBy: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the user's commands work that name no namespace.", valueName: "namespace"))
  var namespace: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The file to write, readable by its owner alone. Default: standard output.", valueName: "file"),
    completion: .file())
  var output: String?

  func validate() throws {
    for name in [name] + group {
      guard (1...64).contains(name.count), name.allSatisfy({ !$0.isWhitespace && !$0.isNewline && $0 != "\0" }) else {
        throw ValidationError("\"\(name)\" is no name: 1 to 64 characters, without spaces")
      }
      // These are the platform's own; system:masters is above all rules.
      guard !name.hasPrefix("system:") else {
        throw ValidationError("\"\(name)\": names that begin with system: belong to the platform")
      }
    }
    // A new root is known for two years before it is used; a kubeconfig that lives longer would miss it.
    guard (1...730).contains(days) else { throw ValidationError("--days must be 1 to 730") }
  }

  func run() async throws {
    let kubeconfig = try kubeconfig(directories.layout)
    guard let output else { return Console.current.write(try kubeconfig.yaml()) }
    do { try kubeconfig.write(to: output) } catch {
      throw CommandFailure("\(error)", remedy: "choose another file with --output")
    }
    Console.print("user/\(name) created: \(output), good for \(days) \(days == 1 ? "day" : "days")")
    Console.note("a tenant lets the user in: nagaya create tenant NAME --admin \(name)")
  }

  private func kubeconfig(_ layout: Layout) throws -> Kubeconfig {
    guard FileManager.default.isReadableFile(atPath: "\(layout.pki)/clients/ca.key") else {
      throw CommandFailure(
        "the platform's authority for users, \(layout.pki)/clients/ca.key, cannot be read",
        remedy: "run this as root on the machine where nagaya up runs; --state-dir says where its state is")
    }
    let authority = try PlatformAuthorities.clients(directory: layout.pki)
    let admin = try Kubeconfig.load(explicit: layout.kubeconfig)
    guard let cluster = admin.clusters.values.first else {
      throw CommandFailure("\(layout.kubeconfig) names no server", remedy: "start Nagaya first: nagaya up --detach")
    }
    let issuer = issuedBy ?? ProcessInfo.processInfo.environment["SUDO_USER"] ?? "root"
    let certificate = try authority.issue(
      .client(commonName: name, organizations: group, issuedBy: issuer), lifetime: TimeInterval(days) * 86_400)
    try UserRecords(layout: layout).record(
      .init(
        user: name, groups: group, issuedBy: issuer, issued: Int64(Date().timeIntervalSince1970),
        expires: Int64(certificate.notAfter.timeIntervalSince1970)))
    let server = try SavedArguments(layout).read().flatMap { APIPlace($0).publicServer }
    return Kubeconfig(
      name: "nagaya",
      cluster: .init(server: server ?? cluster.server, authority: cluster.authority),
      user: .init(
        clientCertificate: .inline(Array(certificate.certificatePEM.utf8)),
        clientKey: .inline(Array(certificate.privateKeyPEM.utf8))), namespace: namespace)
  }
}
