import JSONDocument
import TestSupport
import Testing

@testable import VolumePools

@Suite struct LVMReportTests {
  /// As lvm2 2.03.16 writes it, with a thin pool that is active, one of its volumes and a linear one of two segments.
  static let recorded = """
      {
          "report": [
              {
                  "vg": [
                      {"vg_name":"fast", "vg_size":"8581545984", "vg_extent_size":"4194304"}
                  ]
                  ,
                  "pv": [
                      {"pv_name":"/dev/sda", "pv_free":"4001366016", "pv_allocatable":"allocatable", "pv_missing":""},
                      {"pv_name":"/dev/sdb", "pv_free":"4286578688", "pv_allocatable":"", "pv_missing":""},
                      {"pv_name":"[unknown]", "pv_free":"4194304", "pv_allocatable":"allocatable", "pv_missing":"missing"}
                  ]
                  ,
                  "lv": [
                      {"lv_name":"nagaya.t1", "lv_size":"1073741824", "lv_tags":"nagaya,nagaya.state=ready,nagaya.volume=t1", "lv_attr":"Vwi---tz--", "lv_active":"", "lv_device_open":"unknown", "pool_lv":"pool0", "data_percent":"", "metadata_percent":"", "lv_health_status":""},
                      {"lv_name":"v1", "lv_size":"16777216", "lv_tags":"", "lv_attr":"-wi-ao----", "lv_active":"active", "lv_device_open":"open", "pool_lv":"", "data_percent":"", "metadata_percent":"", "lv_health_status":"partial"},
                      {"lv_name":"pool0", "lv_size":"268435456", "lv_tags":"", "lv_attr":"twi-aotz--", "lv_active":"active", "lv_device_open":"open", "pool_lv":"", "data_percent":"93.75", "metadata_percent":"10.94", "lv_health_status":""}
                  ]
                  ,
                  "pvseg": [
                      {"pvseg_start":"0"}
                  ]
                  ,
                  "seg": [
                      {"lv_name":"pool0", "seg_pe_ranges":"pool0_tdata:0-63"},
                      {"lv_name":"v1", "seg_pe_ranges":"/dev/sda:65-68"},
                      {"lv_name":"v1", "seg_pe_ranges":"/dev/sdb:0-1 /dev/sdb:7-8"},
                      {"lv_name":"nagaya.t1", "seg_pe_ranges":""}
                  ]
              }
          ]
      }
    """

  @Test func `A report is read as lvm writes it`() throws {
    let report = try LVMReport(parsing: Array(Self.recorded.utf8), group: "fast")
    #expect(report.bytes == 8_581_545_984)
    #expect(report.extentBytes == 4 << 20)
    #expect(report.freeBytes == 4_001_366_016)
    let thin = try #require(report.logicalVolumes["nagaya.t1"])
    #expect(thin.pool == "pool0" && !thin.isActive && !thin.isOpen && !thin.isThinPool)
    #expect(thin.tags == ["nagaya", "nagaya.state=ready", "nagaya.volume=t1"])
    let linear = try #require(report.logicalVolumes["v1"])
    #expect(linear.pool == nil && linear.isActive && linear.isOpen && linear.health == "partial")
    #expect(linear.extents == ["/dev/sda:65-68", "/dev/sdb:0-1", "/dev/sdb:7-8"])
    let pool = try #require(report.logicalVolumes["pool0"])
    #expect(pool.isThinPool && pool.clearsBlocks && pool.dataPercent == 93.75 && pool.metadataPercent == 10.94)
  }

  @Test(
    arguments: [
      (.string("67108864"), 67_108_864), (.string(" 67108864B"), 67_108_864), (.string("4194304.00"), 4_194_304),
      (.integer(7), 7), (.string("-1"), nil), (.integer(-1), nil), (.string(""), nil), (.string("1.5"), nil),
      (.string("9223372036854775807"), .max), (.string("9223372036854775808"), nil), (.string("1e9"), nil),
      (.null, nil), (.string("4.00m"), nil), (.string("٣"), nil),
    ] as [(JSONValue, Int64?)])
  func `A size is whole bytes or nothing`(value: JSONValue, bytes: Int64?) { #expect(LVMReport.bytes(value) == bytes) }

  @Test(
    arguments: [
      (.string("93.75"), 93.75), (.number(0.5), 0.5), (.integer(3), 3), (.string(""), nil), (.string("nan"), nil),
      (.string("-1"), nil), (.string("1e999"), nil), (.string("250"), 100), (.null, nil),
    ] as [(JSONValue, Double?)])
  func `A percentage is from 0 to 100 or nothing`(value: JSONValue, percent: Double?) {
    #expect(LVMReport.percent(value) == percent)
  }

  @Test func `Numbers as such and lists as such are read, too`() throws {
    let text = """
      {"report":[{"vg":[{"vg_name":"g","vg_size":100,"vg_extent_size":4194304}],
      "pv":[{"pv_name":"/dev/a","pv_free":8388608,"pv_allocatable":1,"pv_missing":0}],
      "lv":[{"lv_name":"a","lv_size":4194304,"lv_tags":["x","y"],"lv_active":"active","lv_device_open":1,"pool_lv":null}]}],
      "log":[{"log_message":"success"}]}
      """
    let report = try LVMReport(parsing: Array(text.utf8), group: "g")
    #expect(report.freeBytes == 8 << 20)
    #expect(report.logicalVolumes["a"]?.tags == ["x", "y"])
    #expect(report.logicalVolumes["a"]?.isOpen == true)
  }

  @Test(arguments: [
    "", "{}", "[]", #"{"report":[]}"#,
    #"{"report":[{"vg":[{"vg_name":"other","vg_size":"1","vg_extent_size":"1024"}]}]}"#,
    #"{"report":[{"vg":[{"vg_name":"g","vg_size":"1","vg_extent_size":"0"}]}]}"#,
    #"{"report":[{"vg":[{"vg_name":"g","vg_size":"1","vg_extent_size":"9223372036854775807"}]}]}"#,
    #"{"report":[{"vg":[{"vg_name":"g","vg_size":"1","vg_extent_size":"1024"}],"lv":[{"lv_name":"a"}]}]}"#,
    String(repeating: "[", count: 1000),
  ])
  func `What is no report of the group is refused`(text: String) {
    #expect(throws: LVMReportError.self) { try LVMReport(parsing: Array(text.utf8), group: "g") }
  }

  @Test func `Arbitrary bytes never trap, and no space comes of nothing`() {
    var generator = SeededGenerator(seed: 23)
    let good = Array(Self.recorded.utf8)
    for _ in 0..<2000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
      }
      guard let report = try? LVMReport(parsing: bytes, group: "fast") else { continue }
      for kind in [LVMPool.Kind.thick, .thin(pool: "pool0")] {
        let state = LVMPoolState(report, LVMPool.Configuration(name: "p", group: "fast", kind: kind))
        #expect(state.availableBytes >= 0 && state.availableBytes <= state.totalBytes)
      }
    }
  }

  @Test(
    arguments: [
      ("  Volume group \"vgx\" not found\n  Cannot process volume group vgx\n", .groupMissing),
      (
        "  Volume group \"vg0\" has insufficient free space (877 extents): 25600 required.\n",
        .noExtents(needed: 25600, free: 877)
      ),
      (
        "  WARNING: x\n  Insufficient free space: 31968 extents needed, but only 2014 available\n",
        .noExtents(needed: 31968, free: 2014)
      ),
      ("  Giving up waiting for lock.\n  Can't get lock for vg0.\n", .lockHeld(after: .zero)),
      (
        "File descriptor 9 (x) leaked on lvchange invocation. Parent PID 8: y\n  Logical volume vg0/a in use.\n", .inUse
      ),
      ("  Logical volume vg0/a contains a filesystem in use.\n", .inUse),
      ("  Logical Volume \"a\" already exists in volume group \"vg0\"\n", .nameTaken),
      ("  Failed to find logical volume \"vg0/a\"\n", .volumeMissing),
      ("  Logical volume a not found in volume group vg0.\n", .volumeMissing),
      ("  New size (32 extents) matches existing size (32 extents).\n", .sizeUnchanged),
      (
        "  Cannot create new thin volume, free space in thin pool vg0/p reached threshold.\n",
        .thinPoolFull("Cannot create new thin volume, free space in thin pool vg0/p reached threshold.")
      ),
      ("", .failed("exit 5")),
      ("  WARNING: a\n  Names including \"_mlog\" are reserved.\n", .failed("Names including \"_mlog\" are reserved.")),
    ] as [(String, LVMError)])
  func `What lvm says is understood`(text: String, error: LVMError) {
    #expect(LVMError(parsing: text, exitCode: 5) == error)
  }

  @Test func `A record is the same after writing tags and reading them`() throws {
    var record = VolumeRecord(
      VolumeRequest(
        name: "a.b-c_d", bytes: 64 << 20, fileSystem: .xfs, parameters: ["pool": "fast", "ä =": "!,\n\0", "empty": ""]),
      bytes: 64 << 20)
    record.state = .expanding
    record.targetBytes = 128 << 20
    record.format = .formatted
    record.fileSystemBytes = 64 << 20
    let tags = try VolumeTags.tags(of: record)
    let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-/=!:&#")
    #expect(tags.allSatisfy { $0.allSatisfy(allowed.contains) && !$0.hasPrefix("-") })
    func logical(_ tags: Set<String>) -> LVMReport.LogicalVolume {
      LVMReport.LogicalVolume(
        name: "x", bytes: 64 << 20, tags: tags, attributes: "", isActive: false, isOpen: false, pool: nil,
        dataPercent: nil, metadataPercent: nil, health: "")
    }
    #expect(VolumeTags.record(of: logical(tags)) == record)
    #expect(VolumeTags.record(of: logical(tags.subtracting(["nagaya"]))) == nil)
    #expect(VolumeTags.record(of: logical(tags.subtracting(["nagaya.state=expanding"]))) == nil)
    #expect(VolumeTags.record(of: logical(tags.union(["nagaya.parameter.a=!zz"]))) == nil)
    record.parameters = ["a": String(repeating: "ä", count: 400)]
    #expect(throws: VolumeError.self) { try VolumeTags.tags(of: record) }
  }

  @Test func `Names of logical volumes are their volumes', or numbers where LVM takes no such name`() {
    #expect(VolumeTags.logicalName(of: "pvc-1") == "nagaya.pvc-1")
    let long = VolumeTags.logicalName(of: String(repeating: "a", count: 128))
    #expect(long.hasPrefix("nagaya..") && long.utf8.count == 24)
    #expect(VolumeTags.logicalName(of: "a_tmeta").hasPrefix("nagaya.."))
    #expect(!LVMTool.isValidName("") && !LVMTool.isValidName("a/b") && !LVMTool.isValidName("-a"))
    #expect(LVMTool.isValidName("vg_0+a.b-c"))
  }
}
