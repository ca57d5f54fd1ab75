import CLinux

/// Calls that may wait for a file system of this very process, made in short-lived processes that hold nothing of it: a
/// thread that waits for its own process would keep a killed one from ending.
public enum ApartMount {
  /// As `FileBackedMount.mount`, with one descriptor that paths may go through.
  public static func mount(
    metadata: String, devices: [String], at target: String, through descriptor: SharedDescriptor,
    readAheadBytes: Int? = nil
  ) throws(SystemError) -> String? {
    let options: [(String, String?)] = [("source", metadata), ("ro", nil)] + devices.map { ("device", $0) }
    return try FileBackedMount.named(readAheadBytes: readAheadBytes) { () throws(SystemError) in
      let answer = withStrings(options.map { $0.0 } + [nil]) { keys in
        withStrings(options.map { $0.1 } + [nil]) { values in
          nagaya_fs_mount_apart("erofs", keys, values, target, descriptor.number)
        }
      }
      try check(answer, "mount(erofs)", metadata)
    }
  }

  /// Reads a file's first bytes.
  /// - Throws: what `open` or `read` failed with; `ENODATA` if the file is shorter.
  public static func read(_ path: String, into shared: SharedMapping) throws(SystemError) {
    try check(nagaya_read_apart(path, shared.bytes.baseAddress, shared.bytes.count), "read", path)
  }

  /// C strings, alive for the call.
  private static func withStrings<Result>(
    _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
  ) -> Result {
    let text = strings.map { $0.map { Array($0.utf8CString) } ?? [] }
    let starts = text.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    return Array(text.joined()).withUnsafeBufferPointer { all in
      let pointers = strings.indices.map { strings[$0] == nil ? nil : all.baseAddress?.advanced(by: starts[$0]) }
      return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
  }
}
