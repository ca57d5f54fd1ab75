import Foundation
import PlatformHarness

/// Cold starts of several modes, one of each in turn, so that what else the machine does meets all of them.
struct ColdStarts {
  let image: BenchImage
  let plain: NetworkRelay
  /// SOCI's snapshotter speaks https alone.
  let encrypted: NetworkRelay
  let work: String
  let nagaya: String
  let authority: String
  let showsRequests: Bool
  let traces: String?
  /// More arguments of our daemon.
  let options: [String]

  func measure(_ modes: [ImageMode], runs: Int) async throws -> [ImageMode: [ColdStart.Run]] {
    var results: [ImageMode: [ColdStart.Run]] = [:]
    for number in 1...runs {
      for mode in modes {
        let run = try await once(mode, "\(number)")
        results[mode, default: []].append(run)
        report(
          "  \(image.rawValue), run \(number), \(mode.words): \(Figure.rounded(run.seconds)) s, \(Figure.rounded(Double(run.bytes) / 1e6)) MB, \(run.requests) requests"
        )
        if showsRequests { for line in run.log { report("    \(line)") } }
      }
    }
    return results
  }

  private func once(_ mode: ImageMode, _ name: String) async throws -> ColdStart.Run {
    try await withEngine(mode, name) { engine in
      try await ColdStart(relay: mode == .soci ? encrypted : plain, image: image).run(engine)
    }
  }

  /// A fresh engine for `body`; whatever happens nothing of it is left.
  func withEngine<Result>(
    _ mode: ImageMode, _ name: String, knownImages: Int = 0, options: [String] = [],
    _ body: (ImageEngine) async throws -> Result
  ) async throws
    -> Result
  {
    let profiles = "\(work)/profiles-\(image.rawValue)-\(mode.variant.rawValue)"
    if [.nagayaEstargzProfiled, .nagayaEstargzShared].contains(mode), !FileManager.default.fileExists(atPath: profiles)
    {
      try await learn(mode.variant, profiles)
      if mode == .nagayaEstargzShared { try await share(mode.variant, profiles) }
    }
    let engine = try await ImageEngine(
      mode, in: "\(work)/\(mode.rawValue)-\(name)", nagaya: nagaya, authority: mode == .soci ? authority : nil,
      profiles: mode == .nagayaEstargzProfiled ? profiles : nil, traces: traces,
      knownImages: knownImages, options: self.options + options)
    do {
      let result = try await body(engine)
      await engine.destroy()
      return result
    } catch {
      print((try? await engine.shell("tail -n 30 \(engine.directory)/*.log").out) ?? "")
      await engine.destroy()
      throw error
    }
  }

  /// Puts what was learned beside the image.
  private func share(_ variant: ImageVariant, _ profiles: String) async throws {
    let root = "\(work)/shared-\(image.rawValue)"
    try await Shell().succeed(
      """
      mkdir -p '\(root)' && cp -a '\(profiles)' '\(root)/profiles'
      '\(nagaya)' image profile push '\(plain.host)/\(variant.name(of: image))' --root '\(root)'
      """)
  }

  /// Starts the image once and keeps what the daemon learned of it.
  private func learn(_ variant: ImageVariant, _ profiles: String) async throws {
    try await withEngine(.nagayaEstargz, "learn") { engine in
      _ = try await ColdStart(relay: plain, image: image).run(engine)
      try await engine.shell.succeed(
        """
        # What was written before the line is not all of it.
        touch \(engine.directory)/line-was-there
        for i in $(seq 300); do
          [ -n "$(find \(engine.directory)/nagaya/profiles -name '*.json' -newer \(engine.directory)/line-was-there)" ] && break
          sleep 0.1
        done
        cp -a \(engine.directory)/nagaya/profiles '\(profiles)' && ls '\(profiles)'/*.json
        """)
    }
  }
}
