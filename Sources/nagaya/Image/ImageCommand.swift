import ArgumentParser

struct Image: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make images without a registry, make them lazy, and give them to the node.",
    discussion: """
      EXAMPLES
        nagaya image pack ./web --name team.local/web:1 --cmd /web --port 8080
        nagaya image convert web.tar
        nagaya image inspect web-estargz.tar
        nagaya image load web-estargz.tar
        nagaya image profile push registry.local/team/web:1
        nagaya image gc --keep 20Gi
      """,
    subcommands: [
      ImagePack.self, ImageInspect.self, ImageConvert.self, ImageLoad.self, ImageProfile.self, ImageCollect.self,
    ])
}
