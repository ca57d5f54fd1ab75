import ArgumentParser

struct Completion: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a completion script for a shell.",
    discussion: """
      EXAMPLES
        source <(nagaya completion bash)
        nagaya completion bash > /etc/bash_completion.d/nagaya
        nagaya completion zsh > "${fpath[1]}/_nagaya"
        nagaya completion fish > ~/.config/fish/completions/nagaya.fish
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish
  }

  @Argument(help: "bash, zsh or fish.") var shell: Shell

  func run() {
    let parsed: CompletionShell =
      switch shell {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    Console.print(Nagaya.completionScript(for: parsed))
  }
}
