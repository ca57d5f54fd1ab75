/// About how wide text will be, without a font: the advance widths of Arial and its kin, by class of letter.
enum TextWidth {
  /// User units at a font size; a little generous, so that labels keep their distance.
  static func estimate(_ text: String, size: Double = 12, bold: Bool = false) -> Double {
    let units = text.unicodeScalars.reduce(into: 0.0) { sum, scalar in sum += width(scalar) }
    return units * size * (bold ? 1.08 : 1.02)
  }

  private static func width(_ scalar: Unicode.Scalar) -> Double {
    switch scalar {
    case "i", "j", "l", "'", "|": 0.24
    case " ", ".", ",", ":", ";", "t", "f", "I", "/", "!", "[", "]": 0.29
    case "r", "(", ")", "-": 0.34
    case "m", "M", "W": 0.85
    case "w", "%", "@": 0.82
    case "c", "k", "s", "v", "x", "y", "z", "J": 0.5
    case "A"..."Z": 0.69
    default: scalar.value < 0x2E80 ? 0.56 : 1.0
    }
  }
}
