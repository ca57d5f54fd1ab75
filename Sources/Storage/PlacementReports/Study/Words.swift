import Charts

/// Figures as people read them.
enum Percent {
  static func text(_ share: Double) -> String { AxisFormat.share.text(share) }
}

enum Whole {
  static func text(_ number: Int) -> String { AxisFormat.count.text(Double(number)) }
}

enum Bytes {
  static func text(_ bytes: Int64) -> String { AxisFormat.bytes.text(Double(bytes)) }
}

enum Span {
  static func text(_ seconds: Double) -> String { AxisFormat.seconds.text(seconds) }
}
