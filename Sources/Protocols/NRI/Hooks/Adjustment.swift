/// What hooks want of a container: changes, each of one field and with its reason, and bounds for changes of others.
public struct Adjustment: Sendable, Hashable {
  /// One aspect of a container that can be changed once.
  public enum Field: Sendable, Hashable, Comparable {
    case rlimit(Rlimit.Kind)
    case memory
    case cpu
    case pids
    case oomScore
    case environment(String)
    case mount(String)
    case annotation(String)
    case unified(String)
  }

  public enum Change: Sendable, Hashable {
    case rlimit(Rlimit)
    /// Bytes.
    case memory(Int64)
    /// Thousandths of a processor.
    case cpu(milli: Int64)
    /// Processes and threads.
    case pids(Int64)
    /// -1000 to 1000; the highest is killed first.
    case oomScore(Int64)
    case environment(String, String)
    case mount(InjectedMount)
    case annotation(String, String)
    /// A file of cgroup v2 and what is written to it: `io.max`, `8:0 rbps=1048576`; each line by itself.
    case unified(String, String)

    public var field: Field {
      switch self {
      case .rlimit(let limit): .rlimit(limit.kind)
      case .memory: .memory
      case .cpu: .cpu
      case .pids: .pids
      case .oomScore: .oomScore
      case .environment(let name, _): .environment(name)
      case .mount(let mount): .mount(mount.destination)
      case .annotation(let key, _): .annotation(key)
      case .unified(let file, _): .unified(file)
      }
    }
  }

  /// How much a change matters beside one of another hook.
  public enum Strength: Sendable, Hashable {
    /// Holds where nobody wants something else. The first of several counts.
    case byDefault
    /// Two hooks that want different things of one field are in conflict.
    case wanted
  }

  public struct Entry: Sendable, Hashable {
    public var change: Change
    /// For people: `by policy db-defaults`.
    public var reason: String
    public var strength: Strength
  }

  /// The most that a wanted change may ask for. What is there by itself is brought down to it where it is known: memory,
  /// CPU, processes and the OOM score, not limits of processes, of which runtimes do not tell.
  public enum Bound: Sendable, Hashable {
    /// Of the hard limit.
    case rlimit(Rlimit.Kind, most: UInt64)
    case memory(most: Int64)
    case cpu(mostMilli: Int64)
    case pids(most: Int64)
    /// No container is spared more than this.
    case oomScore(least: Int64)

    public var field: Field {
      switch self {
      case .rlimit(let kind, _): .rlimit(kind)
      case .memory: .memory
      case .cpu: .cpu
      case .pids: .pids
      case .oomScore: .oomScore
      }
    }
  }

  public private(set) var entries: [Field: Entry] = [:]
  /// The first for each field counts, and its reason is kept.
  public private(set) var bounds: [Field: (bound: Bound, reason: String)] = [:]

  /// What people should know, and changes nothing: that this machine can't do what is wanted.
  public private(set) var remarks: [String] = []

  public init() {}

  public var isEmpty: Bool { entries.isEmpty }

  /// Adds a change.
  /// - Throws: `AdjustmentConflict` if something else is wanted of its field.
  public mutating func set(_ change: Change, _ strength: Strength = .wanted, because reason: String)
    throws(AdjustmentConflict)
  {
    let entry = Entry(change: change, reason: reason, strength: strength)
    guard let present = entries[change.field] else {
      entries[change.field] = entry
      return
    }
    switch (present.strength, strength) {
    case (_, .byDefault): break
    case (.byDefault, .wanted): entries[change.field] = entry
    case (.wanted, .wanted):
      guard present.change == change else { throw AdjustmentConflict(first: present, second: entry) }
    }
  }

  public mutating func remark(_ text: String) { if !remarks.contains(text) { remarks.append(text) } }

  /// Adds a bound, if its field has none.
  public mutating func bound(_ bound: Bound, because reason: String) {
    if bounds[bound.field] == nil { bounds[bound.field] = (bound, reason) }
  }

  /// Adds all of another.
  public mutating func merge(_ other: Adjustment) throws(AdjustmentConflict) {
    for (_, entry) in other.entries { try set(entry.change, entry.strength, because: entry.reason) }
    for (_, (bound, reason)) in other.bounds { self.bound(bound, because: reason) }
    for text in other.remarks { remark(text) }
  }

  /// Puts a change in the place of the one that is there.
  mutating func replace(_ change: Change, because reason: String) {
    entries[change.field] = Entry(
      change: change, reason: reason, strength: entries[change.field]?.strength ?? .byDefault)
  }

  public static func == (left: Adjustment, right: Adjustment) -> Bool {
    left.entries == right.entries && left.remarks == right.remarks
      && left.bounds.mapValues(\.bound) == right.bounds.mapValues(\.bound)
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(entries) }
}

/// A place of the host that a container gets to see.
public struct InjectedMount: Sendable, Hashable {
  public var destination: String
  public var source: String
  public var isReadOnly: Bool

  public init(destination: String, source: String, isReadOnly: Bool = true) {
    self.destination = destination
    self.source = source
    self.isReadOnly = isReadOnly
  }
}

/// Two changes of one field that are not the same.
public struct AdjustmentConflict: Error, Hashable, CustomStringConvertible {
  public let first: Adjustment.Entry
  public let second: Adjustment.Entry

  public var description: String {
    "\(second.change) (\(second.reason)) is in conflict with \(first.change) (\(first.reason))"
  }
}

extension Adjustment.Change: CustomStringConvertible {
  /// `ulimit NOFILE 1024:65536`
  public var description: String {
    switch self {
    case .rlimit(let limit): "ulimit \(limit.kind.rawValue) \(Rlimit.text(limit.soft)):\(Rlimit.text(limit.hard))"
    case .memory(let bytes): "memory \(bytes)"
    case .cpu(let milli): "cpu \(milli)m"
    case .pids(let count): "pids \(count)"
    case .oomScore(let score): "oom-score \(score)"
    case .environment(let name, let value): "env \(name)=\(value)"
    case .mount(let mount): "mount \(mount.source) at \(mount.destination)\(mount.isReadOnly ? " (read-only)" : "")"
    case .annotation(let key, let value): "annotation \(key)=\(value)"
    case .unified(let file, let value): "\(file) \(value.replacing("\n", with: "; "))"
    }
  }
}
