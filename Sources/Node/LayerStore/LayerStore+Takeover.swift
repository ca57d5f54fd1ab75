import Glibc
import LinuxSystem
import Logging
import OCI

extension LayerStore {
  /// Opens and marks again what is mounted and incomplete.
  func adopt(_ desk: EventDesk) async throws {
    for (key, entry) in entries where entry.isInUse && entry.record.isComplete {
      // It became complete in the last moment of the process before, which may not have come to take the mark away.
      let data = try SharedDescriptor(files.data(key), .read)
      desk.routes[try data.identity()] = .complete
      try desk.group.unmark(data)
      await unprotect(key)
    }
    for (key, entry) in entries where entry.isInUse && !entry.record.isComplete {
      let held = await heldWriter(key)
      if isTakeover, held == nil {
        // Marked by a group whose writer is lost: we could only ask ourselves. Its readers are refused.
        logger.error("layer cannot be filled until it is unmounted", metadata: ["layer": "\(key)"])
        continue
      }
      let fill = try await load(key)
      desk.routes[try fill.writer.identity()] = .filling(fill)
      await keep(key, fill.writer)
      try desk.group.mark(fill.writer)
      entries[key]?.isMarked = true
      // After the mark, from which on nobody gets zeros any more. A guard refused them all the time.
      if !isTakeover, (try? await protection.guardian?.file(key.blob.hex)) == nil { try await distrustPages(key) }
    }
  }

  /// Answers what an earlier process had read and not answered, before anything new is read.
  ///
  /// Answers go by number, and new questions get numbers that are free in this process: each old number is taken here
  /// until it is answered. Where it is in use already, the answer is given first.
  func takeOver(_ desk: EventDesk) async throws {
    guard isTakeover else { return desk.journal.clear() }
    let (entries, bare) = desk.journal.left()
    let fills = self.entries.values.compactMap { $0.isMarked ? $0.fill : nil }
    var urgent: [(number: Int32, fills: [LayerFill], range: Range<Int64>)] = []
    for entry in entries {
      let fill = fills.first { (try? $0.writer.identity()) == entry.file }
      if Self.hold(entry.number, by: desk.group) {
        desk.take(entry.number, entry.file, entry.range) { workInput.yield(.answer($0)) }
      } else {
        urgent.append((entry.number, fill.map { [$0] } ?? [], entry.range))
      }
    }
    // Which file these were about died with the process: the range is filled in each that it can be.
    for event in bare { urgent.append((event.number, fills, event.range)) }
    let limit = min(configuration.demandDeadline ?? .seconds(30), .seconds(30))
    await withTaskGroup(of: (Int32, Bool).self) { group in
      for (number, fills, range) in urgent {
        group.addTask {
          for fill in fills {
            guard await Self.fill(fill, range, within: limit) else { return (number, false) }
          }
          return (number, !fills.isEmpty)
        }
      }
      for await (number, isFilled) in group {
        if isFilled { desk.group.allow(number) } else { desk.group.deny(number) }
        desk.journal.remove(number)
      }
    }
    if !entries.isEmpty || !bare.isEmpty {
      logger.notice("took over readers that waited", metadata: ["count": "\(entries.count + bare.count)"])
    }
  }

  /// Takes a descriptor's number, so that no new event gets it.
  private static func hold(_ number: Int32, by group: PreContentGroup) -> Bool {
    let taken = fcntl(group.descriptor.number, F_DUPFD_CLOEXEC, number)
    if taken == number { return true }
    if taken >= 0 { close(taken) }
    return false
  }

  private static func fill(_ fill: LayerFill, _ range: Range<Int64>, within limit: Duration) async -> Bool {
    let result = try? await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await fill.fill(range, .demand)
        return true
      }
      group.addTask {
        try await Task.sleep(for: limit)
        return false
      }
      defer { group.cancelAll() }
      return try await group.next() ?? false
    }
    return result ?? false
  }
}
