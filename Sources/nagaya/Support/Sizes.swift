import KubernetesAPI

/// Sizes on the command line.
enum Sizes {
  /// - Parameters:
  ///   - option: its name, for the error.
  ///   - least: bytes; less is no size for this option.
  static func bytes(_ text: String, option: String, least: Int64 = 0) throws -> Int64 {
    guard let quantity = Quantity(text), quantity.value >= least else {
      throw CommandFailure("\(option) \(text) is not a size", remedy: "give a quantity such as 100Gi")
    }
    return quantity.value
  }
}
