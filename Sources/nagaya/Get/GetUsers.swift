import ArgumentParser
import KubernetesAPI

struct GetUsers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "users", abstract: "List the kubeconfigs that nagaya create user gave out.",
    discussion: "Reads the platform's own record, so it runs as root, where nagaya up runs.", aliases: ["user"])

  @OptionGroup var directories: DirectoryOptions

  func run() async throws {
    let records = UserRecords(layout: directories.layout)
    try RevokeAccess.check(directories.layout)
    let (list, now) = (try records.revocations, Timestamp.now.seconds)
    var rows = [["NAME", "GROUPS", "ISSUED BY", "EXPIRES", "STATUS"]]
    for issued in records.issued {
      let isRevoked = [issued.user, issued.issuedBy].contains { list.users[$0].map { issued.issued <= $0 } ?? false }
      rows.append([
        issued.user, issued.groups.isEmpty ? "-" : issued.groups.joined(separator: ","),
        issued.issuedBy.isEmpty ? "-" : issued.issuedBy, Timestamp(seconds: issued.expires).description,
        isRevoked ? "Revoked" : issued.expires <= now ? "Expired" : "Valid",
      ])
    }
    let widths = (0..<rows[0].count).map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let line = zip(row, widths).map { $0.padding(to: $1 + 3) }.joined()
      Console.print(String(line.reversed().drop { $0 == " " }.reversed()))
    }
  }
}
