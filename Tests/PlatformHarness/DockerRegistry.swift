import Foundation
import Locking

/// A real registry on a free port of this machine, with its storage in a directory of its own.
public final class DockerRegistry: Sendable {
  /// `127.0.0.1:PORT`
  public let host: String
  public let port: Int
  public let directory: String
  private let identifier: Mutex<Int32>
  private let isEncrypted: Bool

  /// Where the engines are unpacked.
  public static var engines: String {
    ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(PlatformInstance.root)/.engines"
  }

  /// Starts it and waits until it answers.
  /// - Parameters:
  ///   - storage: is kept after the end; a directory that is removed with the rest, if nil.
  ///   - users: lines of an htpasswd file with bcrypt; everybody may do everything if nil.
  ///   - certificate: PEM of a chain and its key; plain http if nil.
  public init(storage: String? = nil, users: String? = nil, certificate: (chain: String, key: String)? = nil)
    async throws
  {
    directory = "/tmp/nagaya-registry-\(UInt32.random(in: 0..<1 << 24))"
    // Below the ports that the kernel gives to whoever asks for any: it must be free again after `goAway`.
    port = Int.random(in: 20_000..<29_000)
    host = "127.0.0.1:\(port)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    var configuration = """
      version: 0.1
      log: {level: warn, accesslog: {disabled: true}}
      storage: {delete: {enabled: true}, filesystem: {rootdirectory: \(storage ?? directory + "/storage"), maxthreads: 100}}
      http:
        addr: \(host)

      """
    if let certificate {
      try Data(certificate.chain.utf8).write(to: URL(fileURLWithPath: "\(directory)/tls.crt"))
      try Data(certificate.key.utf8).write(to: URL(fileURLWithPath: "\(directory)/tls.key"))
      configuration += "  tls: {certificate: \(directory)/tls.crt, key: \(directory)/tls.key}\n"
    }
    if let users {
      try Data(users.utf8).write(to: URL(fileURLWithPath: "\(directory)/htpasswd"))
      configuration += "auth: {htpasswd: {realm: test, path: \(directory)/htpasswd}}\n"
    }
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(directory)/config.yml"))
    isEncrypted = certificate != nil
    identifier = Mutex(0)
    try await comeBack()
  }

  /// Starts it, after `goAway`, and waits until it answers.
  public func comeBack() async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(Self.engines)/bin/docker-registry")
    process.arguments = ["serve", "\(directory)/config.yml"]
    if !FileManager.default.fileExists(atPath: "\(directory)/log") {
      _ = FileManager.default.createFile(atPath: "\(directory)/log", contents: nil)
    }
    let log = FileHandle(forWritingAtPath: "\(directory)/log")
    try log?.seekToEnd()
    process.standardOutput = log
    process.standardError = log
    try process.run()
    let started = process.processIdentifier
    identifier.withLock { $0 = started }
    let answers = try await Shell()(
      """
      for i in $(seq 200); do
        curl -sk -o /dev/null \(isEncrypted ? "https" : "http")://\(host)/v2/ && exit 0
        kill -0 \(started) || break; sleep 0.05
      done; cat \(directory)/log; exit 1
      """)
    guard answers.succeeded else {
      goAway()
      throw answers
    }
  }

  /// Kills it; what it stores stays.
  public func goAway() {
    identifier.withLock { identifier in
      if identifier > 0 { kill(identifier, SIGKILL) }
      identifier = 0
    }
  }

  /// Ends it and removes its directory.
  public func stop() {
    goAway()
    try? FileManager.default.removeItem(atPath: directory)
  }
}
