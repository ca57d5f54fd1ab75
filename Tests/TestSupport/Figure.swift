import Foundation

/// Notes a figure for the end of `make test`: prints it, and adds it to the file that `NAGAYA_FIGURES` names.
/// - Parameter name: as `extremes.fields`.
public func figure(_ name: String, _ value: some CustomStringConvertible, _ unit: String) {
  let line = "figure: \(name) \(value) \(unit)\n"
  print(line, terminator: "")
  guard let path = ProcessInfo.processInfo.environment["NAGAYA_FIGURES"] else { return }
  let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
  guard file >= 0 else { return }
  _ = Array(line.utf8).withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
  close(file)
}
