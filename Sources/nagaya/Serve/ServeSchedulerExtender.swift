import APIServer
import ArgumentParser
import CertificateAuthority
import Foundation
import KubernetesClient
import LinuxSystem
import Logging
import Placement
import PodScheduler
import ServiceLifecycle
import StorageControllers

/// `nagaya serve scheduler-extender`: the placement of volumes for the scheduler of somebody's Kubernetes.
struct ServeSchedulerExtender: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scheduler-extender", abstract: "Serve the placement of volumes to a cluster's own scheduler.",
    discussion: """
      Answers kube-scheduler as an extender (\(SchedulerExtender.Path.filter), \(SchedulerExtender.Path.prioritize)): it keeps \
      pods from nodes whose pools have no room for all their new volumes together, promises of others subtracted, and puts \
      nodes first as `nagaya serve controllers` does. Where the scheduler's configuration cannot be changed, it answers the API \
      server as a mutating webhook (\(SchedulerExtender.Path.webhook)): new pods prefer the nodes where their volumes stand best.

      It goes by CSIStorageCapacity objects of any driver, and writes nothing. Schedulers say who they are by a client \
      certificate; the webhook answers anybody.

      EXAMPLES
        nagaya serve scheduler-extender --tls-cert tls.crt --tls-key tls.key
        nagaya serve scheduler-extender --kubeconfig f --client-ca ca.crt --caller my-scheduler --tls-cert c --tls-key k
      """)

  @OptionGroup var cluster: ClusterAccess

  @Option(help: "The address to listen on.")
  var host = "0.0.0.0"

  @Option(help: "The port to listen on.")
  var port = 8443

  @Option(help: "The server's certificate, with its chain (PEM); read anew when it changes.", completion: .file())
  var tlsCert: String

  @Option(help: "Its key (PEM).", completion: .file())
  var tlsKey: String

  @Option(
    name: .customLong("client-ca"),
    help: "The authorities of schedulers' certificates (PEM). Default: the cluster's, in a pod.", completion: .file())
  var clientCA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

  @Option(name: .customLong("caller"), help: "A user who may ask as a scheduler; may be given several times.")
  var callers = ["system:kube-scheduler"]

  @Option(help: "On which node a new volume goes, among those with room, as `nagaya up --placement`.")
  var placement: SnapshotPolicy = .expectedLoss

  func validate() throws {
    guard 0...65535 ~= port else { throw ValidationError("--port is a number from 0 (any) to 65535") }
  }

  func run() async throws {
    OwnMemory.keepSmall()
    var logger = Logger(label: "nagaya.scheduler-extender")
    logger.logLevel = cluster.logLevel
    let extender = SchedulerExtender(
      try cluster.client(userAgent: "nagaya-scheduler-extender"), ranking: PlacementRanking(placement),
      callers: Set(callers), logger: logger)
    let certificate = certificate
    let clients = clientCA
    let authenticator: Authenticator
    let roots = try Self.text(clients)
    do { authenticator = try Authenticator(trusting: roots) } catch {
      throw CommandFailure(
        "\(clients) holds no certificates: \(error)", remedy: "name the authorities' file: --client-ca")
    }
    let front = try HTTPSFront(
      host: host, port: port, certificate: try certificate(), authenticator: authenticator, handler: extender,
      publicPaths: [SchedulerExtender.Path.webhook], logger: logger)
    let renewal = CredentialWatch(paths: [tlsCert, tlsKey, clients], interval: .seconds(30), logger: logger) {
      try authenticator.use(trusting: Self.text(clients))
      try front.use(certificate())
    }
    let ready = Announcement(extender: extender, front: front, logger: logger)
    let services: [any Service] = [extender, front, renewal, ready]
    var configuration = ServiceGroupConfiguration(
      services: services.map {
        .init(
          service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
          failureTerminationBehavior: .gracefullyShutdownGroup)
      }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = .seconds(20)
    try await ServiceGroup(configuration: configuration).run()
  }

  private static func text(_ path: String) throws -> String {
    guard let bytes = try LinuxSystem.DurableFile.read(path) else {
      throw CommandFailure(
        "\(path) does not exist", remedy: "name a file that does; see nagaya serve scheduler-extender --help")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads the server's certificate.
  private var certificate: @Sendable () throws -> IssuedCertificate {
    { [tlsCert, tlsKey] in
      guard
        let issued = IssuedCertificate(
          certificatePEM: try Self.text(tlsCert), privateKeyPEM: try Self.text(tlsKey))
      else {
        throw CommandFailure(
          "\(tlsCert) and \(tlsKey) do not belong together", remedy: "name a certificate and its key, both PEM")
      }
      return issued
    }
  }

  /// Says once that it serves.
  private struct Announcement: Service {
    let extender: SchedulerExtender
    let front: HTTPSFront
    let logger: Logger

    func run() async throws {
      try await cancelWhenGracefulShutdown {
        do {
          try await extender.waitUntilSynced()
          let port = try await front.port
          logger.notice("serving", metadata: ["port": "\(port)"])
        } catch is CancellationError where Task.isCancelled {}
      }
      try? await gracefulShutdown()
    }
  }
}
