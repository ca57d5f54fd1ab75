import Testing

/// Everything that runs against one whole instance, one test after the other: the tests share its node.
@Suite("The whole platform", .runningNagaya, .serialized)
enum WholePlatform {}
