import ArgumentParser
import Testing
import VolumePools

@testable import nagaya

@Suite struct LVMPoolArgumentTests {
  @Test func `pools in LVM are read`() throws {
    let thick = try LVMPoolArgument(parsing: "fast=vg0").configuration
    #expect(thick.name == "fast" && thick.group == "vg0" && thick.kind == .thick && thick.wipes == .zero)
    let thin = try LVMPoolArgument(parsing: "a-1=vg.0,overprovision=2.5,thin=pool0,wipes=discard").configuration
    #expect(thin.kind == .thin(pool: "pool0") && thin.overprovisionRatio == 2.5 && thin.wipes == .discard)
  }

  @Test(arguments: [
    ("", "a pool in LVM is NAME=GROUP"), ("fast", "NAME=GROUP"), ("fast=", "NAME=GROUP"), ("=vg0", "NAME=GROUP"),
    ("Fast=vg0", "lower-case"), ("a=b=c", "NAME=GROUP"), ("default=vg0", "is the one in files"),
    ("a=b,thin=", "is nothing of a pool"), ("a=b,", "is nothing of a pool"), ("a=b,x=y", "is nothing of a pool"),
    ("a=b,thin=p,overprovision=0.5", "from 1 to 1000"), ("a=b,thin=p,overprovision=nan", "from 1 to 1000"),
    ("a=b,thin=p,overprovision=1e99", "from 1 to 1000"), ("a=b,overprovision=2", "for thin pools alone"),
    ("a=b,wipes=maybe", "zero, discard or none"),
  ])
  func `what is no pool in LVM says why`(text: String, why: String) {
    #expect(performing: { try LVMPoolArgument(parsing: text) }, throws: { "\($0)".contains(why) })
    let error = #expect(throws: (any Error).self) { try PlatformOptions.parse(["--lvm-pool", text]) }
    #expect(error.map { PlatformOptions.fullMessage(for: $0).contains(why) } ?? false)
  }

  @Test func `a group that is not there stops the start and says what to do`() async throws {
    try await withTemporaryDirectory { directory in
      let pool = try LVMPoolArgument(parsing: "fast=no-such-group")
      let error = await #expect(throws: CommandFailure.self) {
        try await LocalStorage(
          node: "n", directory: directory, limit: nil, lvmPools: [pool], logger: .init(label: "test"))
      }
      #expect(error?.what.contains("--lvm-pool fast=no-such-group: pool fast cannot be used: no-such-group") == true)
    }
  }
}
