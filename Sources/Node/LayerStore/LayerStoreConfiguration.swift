public import LinuxSystem

extension LayerStore {
  /// How a store works.
  public struct Configuration: Sendable {
    /// Where layers are kept: on ext4, xfs or btrfs; filled through FUSE on any file system.
    public var directory: String
    /// For what need not survive the machine's next start: sockets, mount points, shared memory.
    public var runDirectory: String
    /// The command that starts the keeper and the guard, to which `keep-layers` or `guard-layers` and the run directory
    /// are added. `nil`: none; readers then lose their bytes if this process is killed. For tests only.
    public var keeper: [String]?
    /// Keeps what the keeper keeps where no signal to our processes reaches it; `nil`: nobody does.
    public var descriptorStore: DescriptorStore?
    /// Where readers that wait are noted.
    public var calls = CallRegister()
    /// How missing bytes are asked for.
    public var fill = FillChoice.auto
    /// How long a reader waits before its read fails; `nil`: for ever (it can be killed).
    public var demandDeadline: Duration?
    /// What completing layers may fetch; 0: nothing is fetched unasked, `nil`: as fast as it goes.
    public var backgroundBytesPerSecond: Int64?
    /// How long no reader must have waited before the background goes on.
    public var backgroundQuiet: Duration
    /// Requests at once for completing a layer.
    public var backgroundRequests: Int
    /// Compressed bytes of a request: asked for when a reader waits for something large, and the most; see `DemandWindow`.
    public var windowBytes: ClosedRange<Int64>
    /// Compressed and uncompressed bytes in memory at once.
    public var memoryBytes: Int64
    /// The largest chunk or span that is filled in one piece.
    public var pieceLimitBytes: Int64
    /// What the kernel reads at once of a file that is read in order.
    public var readAheadBytes: Int
    /// How often what is present is made durable while a layer is filled.
    public var saveInterval: Duration
    /// Whether layers with tables of contents are completed by reading the whole blob in order, which tells what they are.
    public var provesLayers = false
    /// Whether layers without digests of their chunks are taken.
    public var allowsUnverifiable: Bool
    /// Called at every step, so that tests can end the process there.
    package var onStep: @Sendable (LayerStoreStep) -> Void

    public init(
      directory: String, runDirectory: String, keeper: [String]? = nil, demandDeadline: Duration? = .seconds(300),
      backgroundBytesPerSecond: Int64? = nil, backgroundQuiet: Duration = .milliseconds(200),
      backgroundRequests: Int = 2, windowBytes: ClosedRange<Int64> = (256 << 10)...(4 << 20),
      memoryBytes: Int64 = 32 << 20, pieceLimitBytes: Int64 = 64 << 20, readAheadBytes: Int = 1 << 20,
      saveInterval: Duration = .seconds(5), allowsUnverifiable: Bool = false
    ) {
      self.directory = directory
      self.runDirectory = runDirectory
      self.keeper = keeper
      self.demandDeadline = demandDeadline
      self.backgroundBytesPerSecond = backgroundBytesPerSecond
      self.backgroundQuiet = backgroundQuiet
      self.backgroundRequests = backgroundRequests
      self.windowBytes = windowBytes
      self.memoryBytes = memoryBytes
      self.pieceLimitBytes = pieceLimitBytes
      self.readAheadBytes = readAheadBytes
      self.saveInterval = saveInterval
      self.allowsUnverifiable = allowsUnverifiable
      onStep = { _ in }
    }
  }
}
