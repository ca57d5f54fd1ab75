import Foundation
import Glibc
import KubernetesAPI

/// Everything that the doctor looks at, one instance's. No check ends the others: one that cannot be made says so.
struct Examination {
  let layout: Layout
  /// How the instance was started last; `nil` if it never was, or the record cannot be read.
  let options: PlatformOptions?

  init(_ layout: Layout) {
    self.layout = layout
    options = (try? SavedArguments(layout).read()) ?? nil
  }

  func run() async -> [Diagnosis] {
    guard geteuid() == 0 else {
      return [
        Diagnosis(
          .error, "machine", "only root may see the state of an instance", remedy: "run `nagaya doctor` as root")
      ]
    }
    var found = machine() + disk()
    guard FileManager.default.fileExists(atPath: layout.state) else {
      found.append(
        Diagnosis(
          .notice, "instance", "nothing was ever started with its state in \(layout.state)",
          remedy: "start it with `nagaya up --detach`, or name its directory with --state-dir"))
      return found
    }
    found += instance() + site() + credentials()
    found += await store()
    found += await objects()
    return found
  }
}
