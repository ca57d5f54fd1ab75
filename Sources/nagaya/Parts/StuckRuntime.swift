import Foundation
import Glibc
import Logging
import ServiceLifecycle

/// Ends a containerd that lets the hooks in no more; its supervisor starts it again, and containers go on.
///
/// A registration waits for calls about pods that are under way, and holds up all others meanwhile: a stop lasts as long as its pod
/// may take, and calls that failed together with the hooks before these may wait for ever (containerd#10085, containerd#14083; seen
/// with 2.1.9). Nobody else would notice: containerd answers everything that is not about pods.
struct StuckRuntime: Service {
  /// The runtime's NRI socket.
  let socket: String
  /// A part of the runtime's command line: nobody else's containerd is ended.
  let mark: String
  let isConnected: @Sendable () -> Bool
  let logger: Logger
  /// How long containerd may listen and not let the hooks in.
  var patience = Duration.seconds(45)

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var since: ContinuousClock.Instant?
      while (try? await Task.sleep(for: .seconds(1))) != nil {
        guard !isConnected(), let pid = listener() else {
          since = nil
          continue
        }
        let began = since ?? .now
        since = began
        guard began.duration(to: .now) > patience else { continue }
        logger.warning(
          "containerd lets the hooks in no more, and nothing about pods is done: it is started anew, containers go on",
          metadata: ["pid": "\(pid)"])
        kill(pid, SIGKILL)
        since = nil
      }
    }
  }

  /// The containerd that listens on the socket.
  private func listener() -> pid_t? {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array(socket.utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let isOpen = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        // Never waits: a queue that is full is refused.
        fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
          && connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard isOpen else { return nil }
    // struct ucred (unix(7)).
    var peer: (pid: pid_t, user: uid_t, group: gid_t) = (0, 0, 0)
    var size = socklen_t(MemoryLayout.size(ofValue: peer))
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, peer.pid > 1,
      let line = FileManager.default.contents(atPath: "/proc/\(peer.pid)/cmdline"),
      String(decoding: line, as: UTF8.self).contains(mark)
    else { return nil }
    return peer.pid
  }
}
