import ArgumentParser
import KubernetesAPI
import VolumePools

/// `NAME=GROUP[,thin=POOL][,overprovision=RATIO][,wipes=zero|discard|none]` on the command line: a pool in LVM.
struct LVMPoolArgument {
  /// As it was written.
  let argument: String
  let configuration: LVMPool.Configuration

  struct Malformed: Error, Hashable, CustomStringConvertible {
    let description: String
  }

  init(parsing text: String) throws(Malformed) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let head = (parts.first ?? "").split(separator: "=", omittingEmptySubsequences: false).map(String.init)
    guard head.count == 2, Names.isDNSLabel(head[0]), !head[1].isEmpty else {
      throw Malformed(
        description:
          "a pool in LVM is NAME=GROUP, such as fast=vg0 or fast=vg0,thin=pool0; its name is lower-case letters, digits and dashes"
      )
    }
    guard head[0] != "default" else {
      throw Malformed(description: "the pool \"default\" is the one in files; give the pool in LVM another name")
    }
    var configuration = LVMPool.Configuration(name: head[0], group: head[1])
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      switch (pair[0], pair.count == 2 ? pair[1] : "") {
      case ("thin", let pool) where !pool.isEmpty: configuration.kind = .thin(pool: pool)
      case ("overprovision", let text):
        guard let ratio = Double(text), ratio >= 1, ratio <= 1000 else {
          throw Malformed(description: "overprovision=\(text.prefix(20)) must be a number from 1 to 1000")
        }
        configuration.overprovisionRatio = ratio
      case ("wipes", let text):
        guard let wipes = LVMPool.Wiping(rawValue: text) else {
          throw Malformed(description: "wipes=\(text.prefix(20)) must be zero, discard or none")
        }
        configuration.wipes = wipes
      default:
        throw Malformed(
          description: "\"\(part.prefix(40))\" is nothing of a pool in LVM: thin=, overprovision= or wipes=")
      }
    }
    if case .thick = configuration.kind, configuration.overprovisionRatio != 1 {
      throw Malformed(description: "overprovision= is for thin pools alone; say thin=POOL, too")
    }
    argument = text
    self.configuration = configuration
  }

  static let help = ArgumentHelp(
    """
    A pool in LVM beside the one in files, for storage classes whose parameter local.nagaya.dev/pool names it: NAME=GROUP, then \
    thin=POOL (a thin pool that is there), overprovision=RATIO (of a thin pool; default 1), wipes=zero, discard or none (of \
    raw volumes that are not thin; default zero). May be repeated.
    """, valueName: "name=group[,thin=pool]")

  /// What ArgumentParser calls to turn the text into a value and a reason where there is none.
  static func transform(_ text: String) throws -> LVMPoolArgument { try LVMPoolArgument(parsing: text) }
}
