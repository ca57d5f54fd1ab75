import ArgumentParser
import Foundation

struct Revoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take back what users or service accounts were given.",
    discussion: """
      What was given until now ends at once, open connections and watches with it; what is given later holds. Run as \
      root, where nagaya up runs.

      EXAMPLES
        nagaya revoke user alice
        nagaya revoke token deployer -n shop-dev
      """, subcommands: [RevokeUser.self, RevokeToken.self])
}

struct RevokeUser: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "End every kubeconfig of a user, and what the user gave to others.",
    discussion: """
      Ends the kubeconfigs that the user had issued for others and tokens that the user asked for, too. Memberships of \
      tenants that the user gave stay.
      """)

  @OptionGroup var directories: DirectoryOptions
  @Argument(help: "The user's name.") var name: String

  func validate() throws {
    guard !name.hasPrefix("system:") else { throw ValidationError("\"\(name)\" is the platform's own") }
  }

  func run() async throws {
    let records = UserRecords(layout: directories.layout)
    try RevokeAccess.check(directories.layout)
    try records.revoke(user: name)
    if name == "admin" {
      // The next renewal, or start, writes the administrator a new kubeconfig.
      for file in ["admin.crt", "admin.key"] {
        try? FileManager.default.removeItem(atPath: "\(directories.layout.pki)/clients/\(file)")
      }
    }
    Console.print("user/\(name) revoked")
    let given = Set(records.issued.filter { $0.issuedBy == name && $0.user != name }.map(\.user)).sorted()
    if !given.isEmpty { Console.note("ended with it, as \(name) had them issued: \(given.joined(separator: ", "))") }
  }
}

struct RevokeToken: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "End every token of a service account.")

  @OptionGroup var directories: DirectoryOptions
  @Argument(help: "The service account's name.") var account: String
  @Option(name: [.short, .long], help: "Its namespace.") var namespace: String

  func run() async throws {
    try RevokeAccess.check(directories.layout)
    try UserRecords(layout: directories.layout).revoke(account: "\(namespace)/\(account)")
    Console.print("tokens of serviceaccount/\(account) in \(namespace) revoked")
    Console.note("pods that run get a new token when theirs is renewed; delete them to have it at once")
  }
}

/// Only who holds the platform's own files may take back.
enum RevokeAccess {
  static func check(_ layout: Layout) throws {
    guard FileManager.default.isWritableFile(atPath: "\(layout.pki)/clients") else {
      throw CommandFailure(
        "\(layout.pki)/clients cannot be written",
        remedy: "run this as root on the machine where nagaya up runs; --state-dir says where its state is")
    }
  }
}
