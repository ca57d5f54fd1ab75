import KubernetesAPI

/// A request to the Kubernetes API, whichever way it travels: in the process or over https.
public struct APIRequest: Sendable {
  public enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case head = "HEAD"
    case options = "OPTIONS"
  }

  public var method: Method
  /// Without the query: `/api/v1/namespaces/demo/pods`.
  public var path: String
  /// Decoded parameters, in order; a name may occur more than once.
  public var query: [(name: String, value: String)]
  /// The body's media type, without parameters: `application/json`.
  public var contentType: String?
  /// The `Accept` header as it came.
  public var accept: String?
  public var userAgent: String?
  /// As whom the request is to be answered, if not as who sends it.
  public var impersonation: Impersonation?
  public var body: [UInt8]

  public init(
    _ method: Method, _ path: String, query: [(name: String, value: String)] = [],
    contentType: String? = nil, accept: String? = nil, userAgent: String? = nil, body: [UInt8] = []
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.contentType = contentType
    self.accept = accept
    self.userAgent = userAgent
    self.body = body
  }

  /// The first parameter of that name.
  public func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// Somebody else to act as: `kubectl --as`, `--as-group` (headers `Impersonate-User`, `Impersonate-Group`).
///
/// Whoever asks needs the verb `impersonate` on that user and on every group.
public struct Impersonation: Sendable, Hashable {
  public var user: String
  public var groups: [String]

  public init(user: String, groups: [String] = []) {
    self.user = user
    self.groups = groups
  }
}

/// The answer to an `APIRequest`.
public struct APIResponse: Sendable {
  public enum Body: Sendable {
    case bytes([UInt8])
    /// Chunks in order: parts of a list, events of a watch (one JSON document and a newline each), lines of a log.
    /// Giving up the iteration ends the work behind it.
    case stream(ByteStream)
  }

  /// The HTTP status.
  public var status: Int
  public var contentType: String
  /// Further headers: `Retry-After`, `Warning`, `Audit-Id`.
  public var headers: [(name: String, value: String)]
  public var body: Body

  public init(
    status: Int, contentType: String = "application/json", headers: [(name: String, value: String)] = [],
    body: Body
  ) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = body
  }
}

/// A type-erased asynchronous sequence of byte chunks.
public struct ByteStream: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  public struct AsyncIterator: AsyncIteratorProtocol {
    let pull: () async throws -> [UInt8]?
    public mutating func next() async throws -> [UInt8]? { try await pull() }
  }

  private let make: @Sendable () -> AsyncIterator

  public init<Base: AsyncSequence & Sendable>(_ base: Base) where Base.Element == [UInt8] {
    make = {
      let box = IteratorBox(base.makeAsyncIterator())
      return AsyncIterator(pull: { try await box.next() })
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { make() }
}

/// Holds an iterator of any type; used by one task at a time, as iterators are.
private final class IteratorBox<Iterator: AsyncIteratorProtocol> {
  private var iterator: Iterator
  init(_ iterator: Iterator) { self.iterator = iterator }
  func next() async throws -> Iterator.Element? { try await iterator.next() }
}

/// Who asks: what authentication found out.
public struct UserInfo: Sendable, Hashable {
  public var name: String
  public var groups: [String]

  public init(name: String, groups: [String] = []) {
    self.name = name
    self.groups = groups
  }

  /// The group whose members may do everything; RBAC is not asked.
  public static let mastersGroup = "system:masters"
  /// A component that runs inside of the API server's process.
  public static func component(_ name: String) -> UserInfo {
    UserInfo(name: "\(partPrefix)\(name)", groups: [mastersGroup, "system:authenticated"])
  }

  /// The group of all node agents.
  public static let nodesGroup = "system:nodes"
  static let nodePrefix = "system:node:"

  /// The agent of a node: it may what its node's pods need (Kubernetes, "Using Node Authorization").
  public static func node(_ name: String) -> UserInfo {
    UserInfo(name: nodePrefix + name, groups: [nodesGroup, "system:authenticated"])
  }

  /// The node that this user is the agent of.
  public var nodeName: String? {
    guard groups.contains(Self.nodesGroup), name.hasPrefix(Self.nodePrefix), name.count > Self.nodePrefix.count else {
      return nil
    }
    return String(name.dropFirst(Self.nodePrefix.count))
  }

  /// A part of the platform that runs by itself, with the rights of the role of its name alone.
  public static func part(_ name: String) -> UserInfo {
    UserInfo(name: "\(partPrefix)\(name)", groups: ["system:authenticated"])
  }

  static let partPrefix = "system:nagaya:"
  /// Whether this is such a part.
  public var isPart: Bool { name.hasPrefix(Self.partPrefix) && !groups.contains(Self.mastersGroup) }
}

/// Something that answers API requests: the API server itself, behind authentication.
public protocol APIRequestHandling: Sendable {
  /// Answers; refusals are answers too (a `Status` body), so this does not throw.
  ///
  /// A request with an `impersonation` is answered as that user if `user` may act so, else refused; never as `user`.
  func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse
}

/// A way to an API server.
public protocol APITransport: Sendable {
  /// Sends a request and returns as soon as status and headers are known.
  /// - Throws: `APIStatus` with reason `serviceUnavailable` or `timeout` if the server could not be reached.
  func send(_ request: APIRequest) async throws -> APIResponse

  /// Tells when a server that was away is back; `nil`: it cannot be away.
  var reachability: Reachability? { get }
}

extension APITransport {
  public var reachability: Reachability? { nil }
}

/// The way within the process: no copy, no encryption.
public struct InProcessTransport: APITransport {
  private let server: any APIRequestHandling
  private let user: UserInfo

  public init(_ server: any APIRequestHandling, as user: UserInfo) {
    self.server = server
    self.user = user
  }

  public func send(_ request: APIRequest) async throws -> APIResponse {
    await server.respond(to: request, from: user)
  }
}

/// Where the output of a pod's containers is read (`GET …/pods/NAME/log`); the node agent provides it.
public protocol PodLogSource: Sendable {
  /// Parameters of `PodLogOptions` (core/v1).
  func log(of pod: KubernetesObject, options: PodLogOptions) async throws(APIStatus) -> ByteStream
}

/// `PodLogOptions` (core/v1).
public struct PodLogOptions: Sendable, Hashable {
  /// `nil`: the only container.
  public var container: String?
  public var follow: Bool
  /// The container before the last restart.
  public var previous: Bool
  public var timestamps: Bool
  public var tailLines: Int?
  public var sinceSeconds: Int?
  public var sinceTime: Timestamp?
  public var limitBytes: Int?

  public init(
    container: String? = nil, follow: Bool = false, previous: Bool = false, timestamps: Bool = false,
    tailLines: Int? = nil, sinceSeconds: Int? = nil, sinceTime: Timestamp? = nil, limitBytes: Int? = nil
  ) {
    self.container = container
    self.follow = follow
    self.previous = previous
    self.timestamps = timestamps
    self.tailLines = tailLines
    self.sinceSeconds = sinceSeconds
    self.sinceTime = sinceTime
    self.limitBytes = limitBytes
  }
}
