/// An ordered map in chunks, made for cheap snapshots: copying the map copies one reference.
///
/// A change after a copy duplicates the outer array (one reference per chunk) and the one chunk it falls into.
public struct ChunkedSortedMap<Key: Comparable & Sendable, Value: Sendable>: Sendable {
  public typealias Element = (key: Key, value: Value)

  /// A chunk is split beyond this many elements.
  @usableFromInline static var capacity: Int { 256 }

  /// Never an empty chunk.
  private var chunks: [[Element]] = []
  public private(set) var count = 0

  public init() {}

  public var isEmpty: Bool { count == 0 }

  public subscript(key: Key) -> Value? {
    guard let place = place(of: key), place.isFound else { return nil }
    return chunks[place.chunk][place.index].value
  }

  /// Puts a value in and returns the one it replaces.
  @discardableResult
  public mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
    guard let place = place(of: key) else {
      chunks.append([(key, value)])
      count += 1
      return nil
    }
    if place.isFound {
      let old = chunks[place.chunk][place.index].value
      chunks[place.chunk][place.index] = (key, value)
      return old
    }
    chunks[place.chunk].insert((key, value), at: place.index)
    count += 1
    if chunks[place.chunk].count > Self.capacity { split(place.chunk) }
    return nil
  }

  @discardableResult
  public mutating func removeValue(forKey key: Key) -> Value? {
    guard let place = place(of: key), place.isFound else { return nil }
    let old = chunks[place.chunk].remove(at: place.index).value
    count -= 1
    if chunks[place.chunk].isEmpty { chunks.remove(at: place.chunk) }
    return old
  }

  private mutating func split(_ chunk: Int) {
    // Keys that arrive in order fill the last chunk: leave it full and begin a new one.
    let isLast = chunk == chunks.count - 1
    let middle = isLast ? Self.capacity : chunks[chunk].count / 2
    let upper = Array(chunks[chunk][middle...])
    chunks[chunk].removeSubrange(middle...)
    chunks.insert(upper, at: chunk + 1)
  }

  /// Where the key is, or belongs; `nil` for an empty map.
  private func place(of key: Key) -> (chunk: Int, index: Int, isFound: Bool)? {
    guard !chunks.isEmpty else { return nil }
    var low = 0
    var high = chunks.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if key < chunks[middle][0].key { high = middle - 1 } else { low = middle }
    }
    let index = Self.lowerBound(of: key, in: chunks[low])
    let isFound = index < chunks[low].count && chunks[low][index].key == key
    return (low, index, isFound)
  }

  private static func lowerBound(of key: Key, in chunk: [Element]) -> Int {
    var low = 0
    var high = chunk.count
    while low < high {
      let middle = (low + high) / 2
      if chunk[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The elements from the first key that is not less than `key`; all of them without one.
  public func elements(from key: Key? = nil) -> Elements {
    guard let key, let place = place(of: key) else { return Elements(chunks: chunks, chunk: 0, index: 0) }
    return Elements(chunks: chunks, chunk: place.chunk, index: place.index)
  }

  /// A walk over a snapshot of the map.
  public struct Elements: Sequence, IteratorProtocol, Sendable {
    fileprivate let chunks: [[Element]]
    fileprivate var chunk: Int
    fileprivate var index: Int

    public mutating func next() -> Element? {
      while chunk < chunks.count {
        if index < chunks[chunk].count {
          defer { index += 1 }
          return chunks[chunk][index]
        }
        chunk += 1
        index = 0
      }
      return nil
    }
  }
}
