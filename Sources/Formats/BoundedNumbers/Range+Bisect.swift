extension Range where Bound == Int {
  /// The first index from which on a predicate holds; the upper bound if it holds nowhere.
  /// - Parameter holds: false up to some index, true from there on. Asked about log2(count) times.
  public func bisect(_ holds: (Int) throws -> Bool) rethrows -> Int {
    var (low, high) = (lowerBound, upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      if try holds(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
