/// A finished drawing (SVG 1.1, second edition).
public struct SVGImage: Sendable, Hashable {
  /// Names files and, within one page, the elements of this drawing: letters, digits and dashes.
  public let name: String
  /// What it shows, for people and for readers of screens.
  public let title: String
  /// User units; one is a pixel at a resolution of 96 per inch.
  public let width: Double
  public let height: Double
  /// The elements within `<svg>`.
  let content: String

  init(name: String, title: String, width: Double, height: Double, content: String) {
    self.name = name
    self.title = title
    self.width = width
    self.height = height
    self.content = content
  }

  /// A document of its own: with its style and a background, so that it is legible wherever it is shown.
  public var document: String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    \(head(withSize: true))
    <style>\(ChartStyle.css)</style>
    <rect class="ch-card" x="0" y="0" width="100%" height="100%"/>
    \(content)</svg>

    """
  }

  /// An element for an HTML page that has `ChartStyle.css` in its head.
  public var inline: String { "\(head(withSize: false))\n\(content)</svg>\n" }

  private func head(withSize: Bool) -> String {
    let (width, height) = (SVGWriter.number(width), SVGWriter.number(height))
    let size = withSize ? " width=\"\(width)\" height=\"\(height)\"" : ""
    return """
      <svg xmlns="http://www.w3.org/2000/svg"\(size) viewBox="0 0 \(width) \(height)" class="ch" role="img" \
      aria-label="\(SVGWriter.escaped(title))">
      """
  }
}
