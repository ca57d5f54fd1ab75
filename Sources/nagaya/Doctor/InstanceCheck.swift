import Edge
import Foundation

extension Examination {
  /// The processes of the instance.
  func instance() -> [Diagnosis] {
    let holder: pid_t?
    do { holder = try InstanceLock.holder(layout) } catch { return [Diagnosis(.error, "instance", "\(error)")] }
    guard let holder else {
      if (try? Down.hasContainers(layout)) == true {
        return [
          Diagnosis(
            .error, "instance", "Nagaya does not run, but its containers do",
            remedy: "take them up again with `nagaya up --detach`, or stop them with `nagaya down`")
        ]
      }
      return [Diagnosis(.notice, "instance", "Nagaya does not run", remedy: "start it with `nagaya up --detach`")]
    }
    guard let record = Instance(reading: layout), record.pid == holder else {
      return [Diagnosis(.notice, "instance", "Nagaya has only just begun to start (process \(holder))")]
    }
    var found = [
      Diagnosis(
        record.phase == .ready ? .ok : .error, "instance", "Nagaya is \(record.phase.rawValue) (process \(holder))",
        remedy: record.phase == .ready ? nil : "see `nagaya status` and \(layout.log)")
    ]
    for part in record.parts {
      let ended = part.lastEnd.map { ": it \($0)" } ?? ""
      if part.state != "ready" {
        found.append(
          Diagnosis(
            .error, "instance", "the part \(part.name) is \(part.state)\(ended)",
            remedy: "it is started again by itself; its last words are in `nagaya status` and \(layout.log)"))
      } else if part.restarts > 0 {
        found.append(
          Diagnosis(
            .warning, "instance", "the part \(part.name) was started again \(part.restarts) times\(ended)",
            remedy: "see what it said before in \(layout.log)"))
      }
    }
    return found
  }

  /// Where apps answer.
  func site() -> [Diagnosis] {
    guard let options else {
      return [
        Diagnosis(
          .warning, "site", "\(layout.arguments) does not say how Nagaya was started",
          remedy: "start it with `nagaya up --detach`")
      ]
    }
    var found: [Diagnosis] = []
    if let advice = EdgeConfiguration.siteAdvice(for: options.domain) {
      found.append(Diagnosis(.warning, "site", advice))
    } else {
      found.append(Diagnosis(.ok, "site", "browsers take each tenant below \(options.domain) for a site of its own"))
    }
    let isLocal = options.edgeAddress.hasPrefix("127.") || options.edgeAddress == "::1"
    if !isLocal, options.domain == "localhost" {
      found.append(
        Diagnosis(
          .warning, "site",
          "the edge listens on \(options.edgeAddress), but names below localhost mean each visitor's own machine",
          remedy: "start with --domain and a domain whose names lead here"))
    }
    if options.noAudit {
      found.append(
        Diagnosis(
          .notice, "site", "no audit log is kept: who changed what cannot be told afterwards",
          remedy: "start without --no-audit"))
    }
    return found
  }
}
