import CRI
import GRPCCore
import GRPCProtobuf
import RegistryClient

/// CRI's image service, passed on to containerd byte by byte; credentials of pulls are remembered on the way.
struct RelayedImageService<Upstream: ClientTransport>: RegistrableRPCService {
  let upstream: GRPCClient<Upstream>
  let credentials: RememberedCredentials

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    typealias Method = Runtime_V1_ImageService.Method
    for method in Method.descriptors {
      router.registerHandler(forMethod: method, deserializer: AsTheyAre(), serializer: AsTheyAre()) { request, _ in
        let request = try await ServerRequest(stream: request)
        let isPull = method == Method.PullImage.descriptor
        return try await (isPull ? pull(request, method) : pass(request, method))
      }
    }
  }

  private func pass(
    _ request: ServerRequest<[UInt8]>, _ method: MethodDescriptor
  ) async throws -> StreamingServerResponse<[UInt8]> {
    let answer = try await upstream.unary(
      request: ClientRequest(message: request.message), descriptor: method, serializer: AsTheyAre(),
      deserializer: AsTheyAre(), options: .defaults
    ) { try $0.message }
    return StreamingServerResponse(single: ServerResponse(message: answer))
  }

  private func pull(
    _ request: ServerRequest<[UInt8]>, _ method: MethodDescriptor
  ) async throws -> StreamingServerResponse<[UInt8]> {
    // What is no request is for containerd to refuse.
    let pull = try? Runtime_V1_PullImageRequest(serializedBytes: request.message)
    guard let brought = pull.flatMap(PullCredentials.init) else { return try await pass(request, method) }
    await credentials.begin(brought.credential, for: brought.place)
    do {
      let answer = try await pass(request, method)
      await credentials.settle(brought.credential, for: brought.place, isGood: true)
      return answer
    } catch {
      await credentials.settle(brought.credential, for: brought.place, isGood: false)
      throw error
    }
  }
}

/// Messages as bytes: fields that are unknown here pass, too.
private struct AsTheyAre: MessageSerializer, MessageDeserializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}
