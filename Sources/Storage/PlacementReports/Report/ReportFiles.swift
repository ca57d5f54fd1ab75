import Charts
import Foundation

/// Writes a report's files into a directory: `index.html`, `result.json`, and each chart as SVG and PNG.
public struct ReportFiles: Sendable {
  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    case cannotWrite(path: String, reason: String)

    public var description: String {
      switch self {
      case .cannotWrite(let path, let reason): "cannot write \(path): \(reason)"
      }
    }
  }

  public var directory: String
  /// `nil`: no PNG files.
  public var converter: PNGConverter?

  public init(directory: String, converter: PNGConverter? = PNGConverter()) {
    self.directory = directory
    self.converter = converter
  }

  /// - Returns: the paths of what was written, the page first.
  /// - Throws: `Failure`, or `PNGConverter.Failure` after all other files are written.
  public func write(_ result: StudyResult, command: String, notes: [String] = []) async throws -> [String] {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw Failure.cannotWrite(path: directory, reason: error.localizedDescription)
    }
    var written = [
      try put("index.html", HTMLPage(result, command: command, notes: notes).text),
      try put("result.json", String(decoding: result.json.encodedForReading(), as: UTF8.self)),
    ]
    let drawings = try StudyCharts.images(result).map { try put("\($0.name).svg", $0.document) }
    written += drawings
    if let converter {
      for drawing in drawings {
        let target = drawing.dropLast(4) + ".png"
        try await converter.convert(drawing, to: String(target))
        written.append(String(target))
      }
    }
    return written
  }

  private func put(_ name: String, _ text: String) throws -> String {
    let path = "\(directory)/\(name)"
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw Failure.cannotWrite(path: path, reason: error.localizedDescription)
    }
    return path
  }
}
