/// Colours and letters of every chart, as classes, so that one page has them once.
public enum ChartStyle {
  /// How many line styles differ from each other by colour or dashes.
  static let seriesCount = 13

  /// Fonts that are on most machines; the converter to pixels has the last two.
  static let fonts = "\"Inter\", \"Helvetica Neue\", Arial, \"Liberation Sans\", \"DejaVu Sans\", sans-serif"

  /// Colours of series, light and dark: Okabe and Ito, "Color Universal Design", darkened where thin lines need it.
  /// The first is for what the chart wants to be seen.
  private static let series: [(light: String, dark: String, dashes: String)] = [
    ("#0072b2", "#56b4e9", "none"), ("#d55e00", "#f08a3c", "none"), ("#009e73", "#2fc79b", "none"),
    ("#b8588f", "#d98cba", "none"), ("#b07d00", "#e6b22e", "none"), ("#56606b", "#9aa5b1", "none"),
    ("#d55e00", "#f08a3c", "6 3"), ("#009e73", "#2fc79b", "6 3"), ("#b8588f", "#d98cba", "6 3"),
    ("#b07d00", "#e6b22e", "6 3"), ("#56606b", "#9aa5b1", "6 3"), ("#d55e00", "#f08a3c", "1 4"),
    ("#009e73", "#2fc79b", "1 4"),
  ]

  /// The rules of all classes; readers without `prefers-color-scheme` see the light ones.
  public static let css: String = {
    let common = """
      .ch text{font-family:\(fonts);font-size:12px}
      .ch .ch-title{font-size:16px;font-weight:600}
      .ch .ch-panel{font-weight:600}
      .ch .ch-strong{font-weight:600}
      .ch .ch-small{font-size:11px}
      .ch .ch-grid,.ch .ch-axis,.ch .ch-whisker,.ch .ch-reference{fill:none;stroke-width:1}
      .ch .ch-reference{stroke-dasharray:5 4}
      .ch .ch-whisker{stroke-width:1.5}
      .ch .ch-line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
      .ch .ch-bold{stroke-width:3}
      .ch .ch-halo{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}
      .ch .ch-band{stroke:none;fill-opacity:.16}

      """
    return common
      + rules(text: "#1f2933", muted: "#5b6774", grid: "#e3e7eb", axis: "#9aa5b1", card: "#ffffff") {
        $0.light
      }
      + "@media (prefers-color-scheme:dark){\n"
      + rules(text: "#e8edf2", muted: "#a3b0bd", grid: "#2c343d", axis: "#5d6873", card: "#12171d") { $0.dark } + "}\n"
  }()

  private static func rules(
    text: String, muted: String, grid: String, axis: String, card: String,
    _ colour: ((light: String, dark: String, dashes: String)) -> String
  ) -> String {
    var css = """
      .ch-card{fill:\(card)}
      .ch .ch-halo{stroke:\(card)}
      .ch .ch-text,.ch .ch-title,.ch .ch-panel,.ch .ch-strong{fill:\(text)}
      .ch .ch-muted,.ch .ch-small{fill:\(muted)}
      .ch .ch-grid{stroke:\(grid)}
      .ch .ch-axis{stroke:\(axis)}
      .ch .ch-whisker,.ch .ch-reference{stroke:\(text)}
      .ch .ch-quiet{fill:\(axis)}
      .ch .ch-track{fill:\(grid)}

      """
    for (index, entry) in series.enumerated() {
      css += ".ch .ch-s\(index){stroke:\(colour(entry));stroke-dasharray:\(entry.dashes)}"
      css += ".ch .ch-f\(index){fill:\(colour(entry))}\n"
    }
    return css
  }

  /// Colours from empty to full for heat maps: eleven points of cividis (Nuñez, Anderton, Renslow 2018), which people with and
  /// without red-green blindness see alike.
  private static let map: [(red: Double, green: Double, blue: Double)] = [
    (0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115), (138, 134, 120), (165, 156, 116),
    (195, 179, 105), (225, 204, 85), (243, 219, 69), (254, 232, 56),
  ]

  /// How many colours a heat map tells apart.
  static let mapSteps = 32

  /// The step of a share from 0 to 1; neighbours of one step are merged.
  static func mapStep(_ share: Double) -> Int {
    share.isFinite ? Int((max(0, min(1, share)) * Double(mapSteps - 1)).rounded()) : 0
  }

  static func mapColour(step: Int) -> String {
    let share = Double(step) / Double(mapSteps - 1)
    let position = share * Double(map.count - 1)
    let lower = min(Int(position), map.count - 2)
    let weight = position - Double(lower)
    let (from, to) = (map[lower], map[lower + 1])
    let parts = [
      from.red + (to.red - from.red) * weight, from.green + (to.green - from.green) * weight,
      from.blue + (to.blue - from.blue) * weight,
    ]
    return parts.reduce(into: "#") { text, part in
      let digits = String(Int(part.rounded()), radix: 16)
      text += digits.count == 1 ? "0\(digits)" : digits
    }
  }
}
