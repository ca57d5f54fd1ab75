import GRPCCore
import GRPCNIOTransportHTTP2Posix
import JSONDocument
import Testing

@testable import NodeAgent

/// gRPC probes against a real gRPC server of this process.
@Suite struct ProberTests {
  /// Answers for the whole server and for the services it names.
  private struct Health: RegistrableRPCService {
    let answers: [String: GRPCHealth.Status]

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(
        forMethod: GRPCHealth.check, deserializer: GRPCHealth.RequestCoding(), serializer: GRPCHealth.ResponseCoding()
      ) { request, _ in
        let service = try await ServerRequest(stream: request).message
        guard let status = answers[service] else { throw RPCError(code: .notFound, message: "no service \(service)") }
        return StreamingServerResponse(single: ServerResponse(message: status))
      }
    }
  }

  private static let questions: [(service: String?, isWell: Bool, words: String?)] = [
    ("", true, nil), ("web", true, nil), ("worker", false, "service unhealthy (responded with \"notServing\")"),
    ("nobody", false, "no service nobody"), (nil, false, "does not implement"),
  ]

  @Test(arguments: questions)
  func aGRPCServerIsAskedForItsHealth(service: String?, isWell: Bool, words: String?) async throws {
    let health = Health(answers: ["": .serving, "web": .serving, "worker": .notServing])
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext)
    // Without a service name the server does not speak the protocol at all.
    try await withGRPCServer(transport: transport, services: service == nil ? [] : [health]) { server in
      let port = try #require(try await server.listeningAddress?.ipv4?.port)
      let prober = Prober(runtime: try RuntimeClient(socket: "/nowhere"))
      let answer = await prober.ask(
        ["grpc": ["port": .integer(Int64(port)), "service": .string(service ?? "")]], container: [:], containerID: "",
        address: "127.0.0.1", timeout: .seconds(150))
      #expect(answer.isSuccess == isWell, "\(answer)")
      if let words {
        guard case .failure(let message) = answer else { return }
        #expect(message.contains(words))
      }
    }
  }

  @Test(
    arguments: [
      (["tcpSocket": ["port": 1]], "dial tcp 127.0.0.1:1: connection refused"),
      (["httpGet": ["port": 1, "path": "/x"]], "Get \"http://127.0.0.1:1/x\": connection refused"),
      (["tcpSocket": ["port": "web"]], "no such port"), ([:], "the probe has no action"),
    ] as [(JSONValue, String)])
  func aFailureIsToldInPlainWords(action: JSONValue, words: String) async throws {
    let prober = Prober(runtime: try RuntimeClient(socket: "/nowhere"))
    let answer = await prober.ask(
      action, container: [:], containerID: "", address: "127.0.0.1", timeout: .seconds(150))
    #expect(answer == .failure(words))
  }

  @Test func nobodyAtThePortIsAFailureInTime() async throws {
    let prober = Prober(runtime: try RuntimeClient(socket: "/nowhere"))
    let answer = await prober.ask(
      ["grpc": ["port": 1]], container: [:], containerID: "", address: "127.0.0.1", timeout: .milliseconds(300))
    #expect(!answer.isSuccess)
  }
}
