import CRI
import GRPCCore
import GRPCProtobuf
import LayerStore
import RegistryClient

/// CRI's image service, passed on to containerd byte by byte; credentials of pulls are remembered on the way.
struct RelayedImageService<Upstream: ClientTransport>: RegistrableRPCService {
  let upstream: GRPCClient<Upstream>
  let credentials: RememberedCredentials
  let calls: CallRegister
  /// Throws if nothing may be made of an image that was pulled: by its name and its id.
  let admit: @Sendable (String, String) async throws -> Void

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    typealias Method = Runtime_V1_ImageService.Method
    for method in Method.descriptors {
      router.registerHandler(forMethod: method, deserializer: AsTheyAre(), serializer: AsTheyAre()) { request, _ in
        let request = try await ServerRequest(stream: request)
        let isPull = method == Method.PullImage.descriptor
        do {
          return try await calls.run("CRI \(method.method)") {
            try await (isPull ? pull(request, method) : pass(request, method))
          }
        } catch let error as RPCError { throw error } catch { throw RPCError(ofSnapshot: error) }
      }
    }
  }

  private func pass(
    _ request: ServerRequest<[UInt8]>, _ method: MethodDescriptor
  ) async throws -> StreamingServerResponse<[UInt8]> {
    StreamingServerResponse(single: ServerResponse(message: try await answer(to: request, method)))
  }

  private func answer(to request: ServerRequest<[UInt8]>, _ method: MethodDescriptor) async throws -> [UInt8] {
    try await CallRegister.waiting(
      method == Runtime_V1_ImageService.Method.PullImage.descriptor ? .transfer : .machine, "containerd"
    ) {
      try await upstream.unary(
        request: ClientRequest(message: request.message), descriptor: method, serializer: AsTheyAre(),
        deserializer: AsTheyAre(), options: .defaults
      ) { try $0.message }
    }
  }

  /// A pull that brought something else than the image is one that failed.
  private func passPull(
    _ request: ServerRequest<[UInt8]>, _ method: MethodDescriptor, image: String?
  ) async throws -> StreamingServerResponse<[UInt8]> {
    let answer = try await answer(to: request, method)
    if let image {
      let id = (try? Runtime_V1_PullImageResponse(serializedBytes: answer))?.imageRef ?? ""
      do { try await admit(image, id) } catch let error as RPCError { throw error } catch {
        throw RPCError(ofSnapshot: error)
      }
    }
    return StreamingServerResponse(single: ServerResponse(message: answer))
  }

  private func pull(
    _ request: ServerRequest<[UInt8]>, _ method: MethodDescriptor
  ) async throws -> StreamingServerResponse<[UInt8]> {
    // What is no request is for containerd to refuse.
    let pull = try? Runtime_V1_PullImageRequest(serializedBytes: request.message)
    guard let brought = pull.flatMap(PullCredentials.init) else {
      return try await passPull(request, method, image: pull?.image.image)
    }
    await credentials.begin(brought.credential, for: brought.place)
    do {
      let answer = try await passPull(request, method, image: pull?.image.image)
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
