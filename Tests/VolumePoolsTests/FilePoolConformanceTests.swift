import Testing

@testable import VolumePools

/// Pools in files do what every pool does (`PoolConformance`).
@Suite struct FilePoolConformanceTests {
  private func with(_ body: (PoolFixture) async throws -> Void) async throws {
    let fixture = try PoolFixture()
    defer { fixture.remove() }
    try await body(fixture)
  }

  @Test(arguments: FileSystemType.allCases)
  func `A volume lives, is a wall, and leaves nothing`(type: FileSystemType) async throws {
    try await with { try await $0.checkLife(type) }
  }

  @Test(arguments: FileSystemType.allCases)
  func `A volume grows and keeps its data`(type: FileSystemType) async throws {
    try await with { try await $0.checkGrowth(type) }
  }

  @Test func `What others wrote is not formatted over`() async throws {
    try await with { try await $0.checkForeignData() }
  }

  @Test func `A name is one volume`() async throws { try await with { try await $0.checkIdentity() } }

  @Test func `All space can be had, and no more`() async throws { try await with { try await $0.checkSpace() } }

  @Test func `A restart disturbs nobody, and a device that is open stays`() async throws {
    try await with { try await $0.checkRestartWhileMounted() }
  }

  @Test func `A volume that leaves is used by nobody`() async throws { try await with { try await $0.checkSealing() } }

  @Test func `A volume that comes is told of when it is whole`() async throws {
    try await with { try await $0.checkReceiving(crashesAfter: ["createIntent", "createFile", "createRecord"]) }
  }

  @Test func `One process holds a pool`() async throws { try await with { try await $0.checkOneProcess() } }
}

extension PoolFixture: PoolPlace {
  func open(afterStep: (@Sendable (String) throws -> Void)?) async throws -> FilePool {
    try await open(limitBytes: 1 << 30) { try afterStep?($0.rawValue) }
  }

  func remains() throws -> [String] { try files() }

  func shownDevices() throws -> Int { try devices().count }
}
