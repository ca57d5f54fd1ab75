import KubernetesAPI

/// One line of a container log in the CRI's format: `TIME STREAM TAG TEXT` ("CRI log format").
///
/// The tag `P` says that the text goes on in the next line of the same stream, `F` that it ends.
struct ContainerLogLine: Hashable, Sendable {
  var time: ArraySlice<UInt8>
  var isPartial: Bool
  var text: ArraySlice<UInt8>

  /// - Parameter line: without its line feed. `nil` if it is not in the format.
  init?(parsing line: ArraySlice<UInt8>) {
    let space = UInt8(ascii: " ")
    guard let first = line.firstIndex(of: space) else { return nil }
    let afterTime = line[(first + 1)...]
    guard let second = afterTime.firstIndex(of: space) else { return nil }
    let stream = afterTime[..<second]
    guard stream.elementsEqual("stdout".utf8) || stream.elementsEqual("stderr".utf8) else { return nil }
    let afterStream = afterTime[(second + 1)...]
    let end = afterStream.firstIndex(of: space) ?? afterStream.endIndex
    // Tags are separated by colons; the first one is P or F.
    switch afterStream[..<end].first {
    case UInt8(ascii: "P"): isPartial = true
    case UInt8(ascii: "F"): isPartial = false
    default: return nil
    }
    time = line[..<first]
    guard time.count >= 20 else { return nil }
    text = end == afterStream.endIndex ? afterStream[end...] : afterStream[(end + 1)...]
  }

  var timestamp: Timestamp? { Timestamp(String(decoding: time, as: UTF8.self)) }
}
