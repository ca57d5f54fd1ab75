import Foundation
import Logging
import ProcessSupervision
import ServiceLifecycle

/// Runs one part of an instance in this process until it is asked to stop, and tells the supervisor how it comes up.
struct PartProcess: Sendable {
  let kind: PartKind
  let layout: Layout
  let logger: Logger
  let reporter: StatusReporter
  /// Where else than on its socket the part says how it is.
  var metricsAddress: ListenAddress?

  init(_ kind: PartKind, _ options: PlatformOptions) {
    self.init(kind, layout: options.directories.layout, logLevel: options.logLevel)
  }

  /// - Parameter layout: its run directory has the part's lock.
  init(_ kind: PartKind, layout: Layout, logLevel: String) {
    // First of all: nothing that is started later may hold the supervisor's descriptor.
    reporter = StatusReporter()
    self.kind = kind
    self.layout = layout
    var logger = Logger(label: "nagaya")
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
    self.logger = logger
  }

  func log(_ label: String) -> Logger {
    var logger = self.logger
    logger[metadataKey: "part"] = "\(label)"
    return logger
  }

  /// - Parameter services: makes what runs, in the order of start; they stop in the opposite one.
  func run(_ services: () async throws -> [any Service]) async throws {
    guard geteuid() == 0 else {
      throw CommandFailure(
        "nagaya serve \(kind.rawValue) mounts, listens and runs containers", remedy: "run it as root")
    }
    do {
      // Two processes that do the same would undo each other's work.
      let lock = try InstanceLock(layout, part: kind.rawValue)
      let own = statusServers
      var configuration = ServiceGroupConfiguration(
        services: (own + (try await services())).map {
          .init(
            service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup)
        }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
      configuration.maximumGracefulShutdownDuration = .seconds(120)
      try await ServiceGroup(configuration: configuration).run()
      withExtendedLifetime(lock) {}
    } catch {
      reporter.failed("\(error)")
      throw error
    }
  }

  /// Says how the part is, from when its services are made to its end.
  private var statusServers: [any Service] {
    let places: [PartStatusServer.Place] =
      [.socket(layout.statusSocket(of: kind))] + (metricsAddress.map { [.address(host: $0.host, port: $0.port)] } ?? [])
    return places.map { [reporter] place in
      PartStatusServer(place: place, isReady: { reporter.wasReady }, logger: log("status"))
    }
  }

  /// A service that tells of each step as it comes up, and then that the part is ready.
  func startup(_ steps: [Startup.Step]) -> Startup { Startup(steps, reporter: reporter) }
}
