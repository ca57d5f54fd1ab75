import JSONDocument
import LinuxSystem

/// The options of the last `nagaya up`, in `<state>/arguments.json`, so that the instance can be started the same way
/// again. They are whole and absolute: the same from any directory and with any environment.
struct SavedArguments: Sendable {
  private let path: String

  init(_ layout: Layout) { path = layout.arguments }

  func write(_ options: PlatformOptions) throws {
    let list = JSONValue.array(options.arguments.map { .string($0) })
    try DurableFile.write(Array(list.encodedForReading()), to: path)
  }

  /// `nil` if nothing was ever started here.
  /// - Throws: `CommandFailure` if the file says nothing that `nagaya up` takes.
  func read() throws -> PlatformOptions? {
    guard let bytes = try DurableFile.read(path) else { return nil }
    do {
      return try PlatformOptions.parse(JSONValue(parsing: bytes).elements.compactMap(\.string))
    } catch {
      throw CommandFailure(
        "\(path) does not say how Nagaya was started: \(error)", remedy: "start it with `nagaya up --detach` first")
    }
  }
}
