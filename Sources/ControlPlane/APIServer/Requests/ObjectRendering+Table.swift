import JSONDocument
import KubernetesAPI

extension ObjectRendering {
  var tablePrefix: [UInt8] { tableRenderer.prefix }

  func tableRow(_ record: ObjectRecord) throws(APIStatus) -> [UInt8] {
    do throws(JSONError) { return try tableRenderer.row(of: record.bytes, including: table.includedObject) } catch {
      throw Self.unreadable(error)
    }
  }

  func tableDocument(_ record: ObjectRecord) throws(APIStatus) -> [UInt8] {
    do throws(JSONError) { return try tableRenderer.document(of: record.bytes, including: table.includedObject) } catch
    {
      throw Self.unreadable(error)
    }
  }

  private static func unreadable(_ error: JSONError) -> APIStatus {
    APIStatus(.internalError, "a stored object cannot be read: \(error)")
  }
}
