public import JSONDocument
public import LayerStore

/// Calls in progress, for people.
public struct CallsReport: Sendable {
  private let calls: [CallStatus]
  private let totals: (timeouts: Int, refusals: Int, longest: Duration)

  public init(_ register: CallRegister) {
    calls = register.calls
    totals = register.totals
  }

  /// A line for each call.
  public var lines: [String] {
    calls.isEmpty
      ? ["nothing is in progress"]
      : calls.map { call in
        let waits = call.waits.map(\.description).joined(separator: "; ")
        let state = call.isAbandoned ? " (given up)" : ""
        return "\(call.age.seconds) s\(state) \(call.name): \(waits.isEmpty ? "is at work" : "waits for \(waits)")"
      }
  }

  public var json: JSONValue {
    [
      "calls": .array(
        calls.map { call in
          [
            "call": .string(call.name), "seconds": .number(call.age.seconds), "givenUp": .bool(call.isAbandoned),
            "waitsFor": .array(
              call.waits.map { ["what": .string($0.what), "seconds": .number($0.age.seconds)] }),
          ]
        }),
      "timedOut": JSONValue(totals.timeouts), "refused": JSONValue(totals.refusals),
      "longestSeconds": .number(totals.longest.seconds),
    ]
  }
}

extension Duration {
  /// Rounded to milliseconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1000
  }
}
