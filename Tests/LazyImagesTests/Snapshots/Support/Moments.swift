import SwiftProtobuf

@testable import LazyImages

extension Google_Protobuf_Timestamp {
  var moment: Moment { Moment(nanoseconds: seconds * 1_000_000_000 + Int64(nanos)) }
}
