import NRI
import Testing

@testable import NodeHooks

struct LiveResourcesTests {
  private func resources(_ changes: Adjustment.Change...) throws -> LiveResources {
    var adjustment = Adjustment()
    for change in changes { try adjustment.set(change, because: "") }
    return LiveResources(adjustment)
  }

  @Test func `nothing is asked for twice`() throws {
    let both = try resources(.pids(5), .unified("io.max", "7:0 a\n7:1 b"))
    #expect(both.changes(from: both, of: NRIContainer()).isEmpty)
    #expect(both.changes(from: LiveResources(bytes: both.bytes), of: NRIContainer()).isEmpty)
    #expect(LiveResources(bytes: []).steps.isEmpty && LiveResources(bytes: [0xFF]).steps.isEmpty)
    #expect(try resources().bytes.isEmpty)
  }

  @Test func `what the runtime has set of a device is taken back, too, by who did not ask for it`() throws {
    let container = NRIContainer.with {
      $0.linux.resources.unified["io.max"] = "7:0 rbps=1 wbps=max riops=max wiops=max"
    }
    let back = try resources().changes(from: LiveResources(present: container), of: container)
    #expect(back.map { $0.unified["io.max"] } == ["7:0 rbps=max wbps=max riops=max wiops=max"])
    #expect(LiveResources(present: NRIContainer()).steps.isEmpty)
    let kernel = LiveResources(
      ioMax: "7:0 rbps=1 wbps=max riops=max wiops=max\n7:1 rbps=max wbps=2 riops=max wiops=max\n")
    let one = try resources(.unified("io.max", "7:1 rbps=max wbps=3 riops=max wiops=max"))
    #expect(
      one.changes(from: kernel, of: container).compactMap { $0.unified["io.max"] } == [
        "7:1 rbps=max wbps=3 riops=max wiops=max", "7:0 rbps=max wbps=max riops=max wiops=max",
      ])
  }

  @Test func `what is no longer wanted goes back to what the container had`() throws {
    let before = try resources(
      .memory(10), .cpu(milli: 500), .pids(5), .unified("io.max", "7:0 rbps=1\n7:1 rbps=1"))
    let none = try resources().changes(from: before, of: NRIContainer())
    #expect(none.count == 3)
    #expect((none[0].memory.limit.value, none[0].cpu.quota.value, none[0].pids.limit) == (-1, -1, -1))
    #expect(
      none.dropFirst().compactMap { $0.unified["io.max"] }
        == ["7:0 rbps=max wbps=max riops=max wiops=max", "7:1 rbps=max wbps=max riops=max wiops=max"])
    let own = NRIContainer.with {
      $0.linux.resources.memory.limit.value = 20
      $0.linux.resources.cpu.quota.value = 70_000
      $0.linux.resources.cpu.period.value = 50_000
      $0.linux.resources.pids.limit = 8
    }
    let back = try resources(.unified("io.max", "7:1 rbps=2")).changes(from: before, of: own)
    #expect((back[0].memory.limit.value, back[0].pids.limit) == (20, 8))
    #expect((back[0].cpu.quota.value, back[0].cpu.period.value) == (70_000, 50_000))
    #expect(back[0].unified == ["io.max": "7:1 rbps=2"])
    #expect(back.count == 2 && back[1].unified["io.max"]?.hasPrefix("7:0 rbps=max") == true)
  }
}
