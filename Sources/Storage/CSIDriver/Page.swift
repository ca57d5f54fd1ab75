import GRPCCore

/// One page of a list, in the order of names. Its token is the last name: it stays good when what has it goes.
struct Page<Entry> {
  let entries: ArraySlice<Entry>
  /// Empty: there are no more.
  let nextToken: String

  /// - Parameters:
  ///   - token: of the page before; empty: from the beginning.
  ///   - most: 0: all.
  /// - Throws: `INVALID_ARGUMENT`; `ABORTED` for a token that is none (ListVolumes, ListSnapshots errors).
  init(of all: [Entry], after token: String, atMost most: Int32, name: (Entry) -> String) throws(RPCError) {
    guard most >= 0 else { throw .invalid("max_entries must not be negative") }
    var rest = all.sorted { name($0) < name($1) }
    if !token.isEmpty {
      guard token.hasPrefix("after:") else {
        throw RPCError(
          code: .aborted, message: "starting_token is none of this plugin's; begin again without a token")
      }
      let last = String(token.dropFirst(6))
      rest.removeAll { name($0) <= last }
    }
    entries = most == 0 ? rest[...] : rest.prefix(Int(most))
    nextToken = entries.count < rest.count ? entries.last.map { "after:\(name($0))" } ?? "" : ""
  }
}
