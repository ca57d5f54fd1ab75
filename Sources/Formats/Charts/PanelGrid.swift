/// Places panels of one size in rows.
struct PanelGrid {
  let count: Int
  let columns: Int
  let width: Double
  let left: Double
  let gap: Double
  let top: Double
  let rowHeight: Double

  /// - Parameters:
  ///   - width: of the whole drawing.
  ///   - left: what each panel leaves on its left for the words of its axis.
  init(count: Int, width: Double, left: Double, top: Double, rowHeight: Double, minimumPanel: Double = 200) {
    self.count = count
    self.left = left
    self.top = top
    self.rowHeight = rowHeight
    gap = 20
    let most = max(1, Int((width - 48 + gap) / (minimumPanel + left + gap)))
    // As few rows as possible, then rows as even as possible.
    let rows = max(1, (count + most - 1) / most)
    columns = max(1, (count + rows - 1) / rows)
    self.width = (width - 48 - gap * Double(columns - 1)) / Double(columns) - left
  }

  /// The left upper corner of a panel's plot.
  func origin(_ index: Int) -> (x: Double, y: Double) {
    (
      24 + left + Double(index % columns) * (width + left + gap),
      top + Double(index / columns) * rowHeight
    )
  }

  func isFirstInRow(_ index: Int) -> Bool { index % columns == 0 }

  var bottom: Double { top + Double((count + columns - 1) / columns) * rowHeight }
}
