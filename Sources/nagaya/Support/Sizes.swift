import KubernetesAPI

/// Sizes on the command line.
enum Sizes {
  /// - Parameter option: its name, for the error.
  static func bytes(_ text: String, option: String) throws -> Int64 {
    guard let quantity = Quantity(text), quantity.value >= 0 else {
      throw CommandFailure("\(option) \(text) is not a size", remedy: "give a quantity such as 100Gi")
    }
    return quantity.value
  }
}
