/// One volume that somebody asks for.
public struct VolumeRequest: Sendable, Hashable {
  /// Index of the device class (storage class) in the cluster's list.
  public var deviceClass: Int
  /// Size in bytes.
  public var bytes: Int64

  public init(deviceClass: Int = 0, bytes: Int64) {
    self.deviceClass = deviceClass
    self.bytes = bytes
  }
}

/// What must find room on one node together: the volumes of a pod, and what the pod computes with.
///
/// The first volume is kept inline: nearly every demand has one volume, and then no array is made.
public struct PlacementDemand: Sendable, Hashable {
  private var first: VolumeRequest
  private var others: [VolumeRequest]
  /// How many volumes are asked for.
  public private(set) var count: Int
  /// Processor time in thousandths of a core.
  public var milliCPU: Int64
  /// Memory in bytes.
  public var memoryBytes: Int64

  public init(volumes: [VolumeRequest], milliCPU: Int64 = 0, memoryBytes: Int64 = 0) {
    first = volumes.first ?? VolumeRequest(bytes: 0)
    others = volumes.count > 1 ? Array(volumes.dropFirst()) : []
    count = volumes.count
    self.milliCPU = milliCPU
    self.memoryBytes = memoryBytes
  }

  /// A demand of one volume.
  public init(bytes: Int64, deviceClass: Int = 0, milliCPU: Int64 = 0, memoryBytes: Int64 = 0) {
    first = VolumeRequest(deviceClass: deviceClass, bytes: bytes)
    others = []
    count = 1
    self.milliCPU = milliCPU
    self.memoryBytes = memoryBytes
  }

  /// The volume at a position in `0..<count`.
  public subscript(index: Int) -> VolumeRequest {
    get {
      precondition(index < count, "the demand has no volume at this position")
      return index == 0 ? first : others[index - 1]
    }
    set {
      precondition(index < count, "the demand has no volume at this position")
      if index == 0 { first = newValue } else { others[index - 1] = newValue }
    }
  }

  /// All volumes, in the order in which they were given.
  public var volumes: [VolumeRequest] { count == 0 ? [] : [first] + others }

  /// The sum of all volumes in bytes.
  public var totalBytes: Int64 {
    var sum = first.bytes
    for volume in others { sum += volume.bytes }
    return sum
  }

  /// The largest volume in bytes.
  public var largestBytes: Int64 {
    var largest = first.bytes
    for volume in others { largest = max(largest, volume.bytes) }
    return largest
  }
}
