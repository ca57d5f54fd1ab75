import ArgumentParser
import JSONDocument

/// `NAME=value` on the command line.
struct EnvironmentArgument: ExpressibleByArgument, Hashable, CustomStringConvertible {
  let name: String
  let value: String

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "=") else { return nil }
    name = String(argument[..<equals])
    value = String(argument[argument.index(after: equals)...])
    // C identifiers and what Kubernetes allows beyond: dots and dashes.
    guard let first = name.utf8.first, !(48...57).contains(first),
      name.utf8.allSatisfy({
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || [0x2D, 0x2E, 0x5F].contains($0)
      })
    else { return nil }
  }

  var description: String { "\(name)=\(value)" }
  var json: JSONValue { ["name": .string(name), "value": .string(value)] }
}
