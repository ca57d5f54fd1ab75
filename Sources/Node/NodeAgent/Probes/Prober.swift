import AsyncHTTPClient
import BoundedNumbers
import CRI
import Foundation
import GRPCCore
import JSONDocument
import KubernetesAPI
import LinuxSystem
import NIOCore
import NIOPosix

/// Asks containers how they are: probes and hooks, by http, tcp, gRPC or a command.
struct Prober: Sendable {
  let runtime: RuntimeClient

  /// What a container answered.
  enum Answer: Hashable, Sendable {
    case success
    case failure(String)

    var isSuccess: Bool { self == .success }
  }

  /// Runs the action of a probe or hook once.
  /// - Parameters:
  ///   - container: its specification, for named ports.
  ///   - address: the pod's.
  func ask(_ action: JSONValue, container: JSONValue, containerID: String, address: String, timeout: Duration) async
    -> Answer
  {
    if !action["httpGet"].isNull {
      return await http(action["httpGet"], container: container, address: address, timeout: timeout)
    }
    if !action["tcpSocket"].isNull {
      let host = action["tcpSocket"]["host"].string ?? address
      guard let port = Self.port(action["tcpSocket"]["port"], container) else { return .failure("no such port") }
      return await Self.tcp(host, port, timeout)
    }
    if !action["exec"].isNull {
      return await exec(action["exec"]["command"].elements.compactMap(\.string), containerID, timeout)
    }
    if let seconds = action["sleep"]["seconds"].int {
      // Never longer than there is time: what ends a pod waits for its hooks.
      try? await Task.sleep(for: min(.seconds(clamping: max(0, seconds)), timeout))
      return .success
    }
    if !action["grpc"].isNull {
      guard let port = Self.port(action["grpc"]["port"], container) else { return .failure("no such port") }
      return await Self.grpc(address, port, action["grpc"]["service"].string ?? "", timeout)
    }
    return .failure("the probe has no action")
  }

  /// A port by number or by the name that the container gives it.
  static func port(_ value: JSONValue, _ container: JSONValue) -> Int? {
    let name = value.string ?? ""
    let number =
      value.int ?? Int(name)
      ?? container["ports"].elements.first { $0["name"].string == name }?["containerPort"].int
    return number.flatMap { (1...65_535).contains($0) ? $0 : nil }
  }

  private func http(_ action: JSONValue, container: JSONValue, address: String, timeout: Duration) async -> Answer {
    guard let port = Self.port(action["port"], container) else { return .failure("no such port") }
    let scheme = action["scheme"].string?.lowercased() ?? "http"
    let host = action["host"].string ?? address
    let path = action["path"].string ?? "/"
    var request = HTTPClientRequest(
      url: "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)\(path.hasPrefix("/") ? path : "/" + path)")
    request.headers.add(name: "User-Agent", value: "kube-probe/nagaya")
    request.headers.add(name: "Connection", value: "close")
    for header in action["httpHeaders"].elements {
      if let name = header["name"].string {
        request.headers.replaceOrAdd(name: name, value: header["value"].string ?? "")
      }
    }
    do {
      let answer = try await Self.client.execute(request, timeout: TimeAmount(timeout))
      for try await _ in answer.body {}
      return (200..<400).contains(answer.status.code)
        ? .success : .failure("HTTP probe failed with statuscode: \(answer.status.code)")
    } catch { return .failure("Get \"\(request.url)\": \(Self.words(of: error))") }
  }

  /// Probes of all pods; certificates are not checked, as the API says for probes.
  private static let client: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.tlsConfiguration = .makeClientConfiguration()
    configuration.tlsConfiguration?.certificateVerification = .none
    configuration.redirectConfiguration = .disallow
    configuration.connectionPool.idleTimeout = .milliseconds(100)
    configuration.timeout.connect = .seconds(1)
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  private static func tcp(_ host: String, _ port: Int, _ timeout: Duration) async -> Answer {
    do {
      let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connectTimeout(TimeAmount(timeout)).connect(host: host, port: port).get()
      try await channel.close()
      return .success
    } catch { return .failure("dial tcp \(host):\(port): \(words(of: error))") }
  }

  /// What went wrong, without the words of the libraries that found it.
  static func words(of error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      if let first = error.connectionErrors.first { return words(of: first.error) }
      return error.dnsAError == nil && error.dnsAAAAError == nil ? "no connection" : "no such host"
    case let error as IOError:
      let text = SystemError.message(error.errnoCode)
      return text.prefix(1).lowercased() + text.dropFirst()
    case ChannelError.connectTimeout: return "no connection in time"
    case let error as HTTPClientError where error == .connectTimeout: return "no connection in time"
    case let error as HTTPClientError where error == .deadlineExceeded: return "no answer in time"
    default: return "\(error)"
    }
  }

  private static func grpc(_ host: String, _ port: Int, _ service: String, _ timeout: Duration) async -> Answer {
    do {
      let status = try await GRPCHealth.ask(host: host, port: port, service: service, timeout: timeout)
      return status == .serving ? .success : .failure("service unhealthy (responded with \"\(status)\")")
    } catch let error as RPCError {
      return error.code == .unimplemented
        ? .failure("this server does not implement the grpc health protocol (grpc.health.v1.Health)")
        : .failure("timeout or error on \(host):\(port): \(error.message)")
    } catch { return .failure("\(error)") }
  }

  private func exec(_ command: [String], _ containerID: String, _ timeout: Duration) async -> Answer {
    do {
      let answer = try await runtime.runtime.execSync(
        .with {
          $0.containerID = containerID
          $0.cmd = command
          $0.timeout = min(max(1, timeout.components.seconds), Int64(Int32.max))
        }, options: RuntimeClient.within(timeout + .seconds(5)))
      guard answer.exitCode == 0 else {
        let output = String(decoding: (answer.stdout + answer.stderr).prefix(500), as: UTF8.self)
        return .failure("command exited with \(answer.exitCode): \(output)")
      }
      return .success
    } catch let error as RPCError { return .failure(error.message) } catch { return .failure("\(error)") }
  }
}
