/// Lets one call at a time through for each volume; the others wait in order.
public actor VolumeGate {
  private var busy: Set<String> = []
  private var queues: [String: [CheckedContinuation<Void, Never>]] = [:]

  public init() {}

  public func enter(_ volume: String) async {
    guard busy.contains(volume) else {
      busy.insert(volume)
      return
    }
    await withCheckedContinuation { queues[volume, default: []].append($0) }
  }

  public func leave(_ volume: String) {
    guard var queue = queues[volume], !queue.isEmpty else {
      busy.remove(volume)
      return
    }
    let next = queue.removeFirst()  // the volume stays busy: it is handed over
    queues[volume] = queue.isEmpty ? nil : queue
    next.resume()
  }
}
