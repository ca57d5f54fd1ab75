import ArgumentParser
import OCI

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Say which version this is.")

  static let number = "0.1.0"
  static let text = "nagaya \(number) (\(OCI.Platform.current))"

  func run() { Console.print(Self.text) }
}
