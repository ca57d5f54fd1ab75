import ArgumentParser

struct Image: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make images without a registry, and give them to the node.",
    discussion: """
      EXAMPLES
        nagaya image pack ./web --name team.local/web:1 --cmd /web --port 8080
        nagaya image load web.tar
      """,
    subcommands: [ImagePack.self, ImageLoad.self])
}
