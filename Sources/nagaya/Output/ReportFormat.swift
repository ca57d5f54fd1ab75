import ArgumentParser
import JSONDocument
import KubernetesAPI

/// How a report that is no object of the API is printed.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, yaml

  /// - Parameter rows: for people; `nil`: nothing.
  func show(_ report: JSONValue, rows: () -> [[String]]?) throws {
    switch self {
    case .table: if let rows = rows() { Console.current.write(TableText.text(rows)) }
    case .json: Console.current.write(String(decoding: report.encodedForReading(), as: UTF8.self))
    case .yaml: Console.current.write(try YAML.text(of: report))
    }
  }
}
