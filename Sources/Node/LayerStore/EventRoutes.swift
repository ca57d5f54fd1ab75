import LinuxSystem
import Locking

/// Which layer a marked file belongs to; asked for every event, from the thread that reads them.
final class EventRoutes: Sendable {
  enum Route: Sendable {
    case filling(LayerFill)
    /// Everything is there; only events that were on their way when the mark was removed come here.
    case complete
    /// A file with which something is tried out: `seen` is called before the answer.
    case probe(seen: @Sendable () -> Void)
  }

  private let routes = Mutex<[FileIdentity: Route]>([:])

  subscript(file: FileIdentity) -> Route? {
    get { routes.withLock { $0[file] } }
    set { routes.withLock { $0[file] = newValue } }
  }
}
