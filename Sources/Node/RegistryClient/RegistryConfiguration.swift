/// How registries are reached.
public struct RegistryConfiguration: Sendable {
  /// containerd's `config_path` (`certs.d`): a directory per registry with `hosts.toml`. Without it, or without an entry in
  /// it, registries are reached by https, those on the loopback interface by http.
  public var hostsDirectory: String?
  /// Asked in this order; the first that knows credentials gives them.
  public var credentials: [any CredentialSource]
  /// Requests under way to one host at most. It shrinks while the host says that it has too much to do.
  public var requestsPerHost: Int
  /// For connections to be made, encryption included.
  public var connectTimeout: Duration
  /// For status and headers of an answer, from when the request may be sent.
  public var answerTimeout: Duration
  /// For the next bytes of a body.
  public var idleTimeout: Duration
  public var retries: RetryPolicy

  public init(
    hostsDirectory: String? = nil, credentials: [any CredentialSource] = [], requestsPerHost: Int = 8,
    connectTimeout: Duration = .seconds(10), answerTimeout: Duration = .seconds(30),
    idleTimeout: Duration = .seconds(20), retries: RetryPolicy = RetryPolicy()
  ) {
    self.hostsDirectory = hostsDirectory
    self.credentials = credentials
    self.requestsPerHost = max(1, requestsPerHost)
    self.connectTimeout = connectTimeout
    self.answerTimeout = answerTimeout
    self.idleTimeout = idleTimeout
    self.retries = retries
  }
}

/// When a request that failed for now is sent again.
public struct RetryPolicy: Sendable, Hashable {
  /// Rounds over all hosts without a single new byte; 1 means never again.
  public var attempts: Int
  /// Before the second round; doubled each time. The actual pause lies between half of it and all of it.
  public var firstPause: Duration
  public var longestPause: Duration
  /// A registry that asks for a longer pause than this is given up for now.
  public var longestRetryAfter: Duration

  public init(
    attempts: Int = 6, firstPause: Duration = .milliseconds(50), longestPause: Duration = .seconds(5),
    longestRetryAfter: Duration = .seconds(60)
  ) {
    self.attempts = max(1, attempts)
    self.firstPause = firstPause
    self.longestPause = longestPause
    self.longestRetryAfter = longestRetryAfter
  }

  /// The pause after failed round `number` (1 is the first), before jitter.
  func pause(after number: Int) -> Duration {
    min(longestPause, firstPause * (1 << min(20, max(0, number - 1))))
  }
}

/// What is read at most of answers that are kept in memory, in bytes.
enum AnswerLimit {
  static let manifest = 4 << 20
  static let config = 8 << 20
  static let token = 1 << 20
  static let referrers = 4 << 20
  /// Of an answer that is refused, for its words.
  static let refusal = 16 << 10
  /// Of a blob that is sent whole though a part was asked for: skipped up to here, refused beyond.
  static let unwantedBlob: Int64 = 8 << 20
}
