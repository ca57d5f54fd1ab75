import ArgumentParser
import KubernetesAPI

/// A quantity on the command line: `500m`, `256Mi`.
struct QuantityArgument: ExpressibleByArgument, Hashable {
  let text: String

  init?(argument: String) {
    guard let quantity = Quantity(argument), quantity.milli > 0 else { return nil }
    text = argument
  }
}
