import JSONDocument
import KubernetesAPI

extension ObjectRendering {
  var tablePrefix: [UInt8] { Array(#"{"apiVersion":"meta.k8s.io/v1","columnDefinitions":[],"rows":["#.utf8) }
  func tableRow(_ record: ObjectRecord) throws(APIStatus) -> [UInt8] { record.bytes }
}
