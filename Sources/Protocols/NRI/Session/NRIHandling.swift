/// What a plugin does when the runtime asks.
public protocol NRIHandling: Sendable {
  /// Asked once for each connection.
  var events: NRIEvents { get }
  /// The runtime says who it is.
  func configure(_ request: NRIConfigureRequest) async
  /// All that there is when the connection begins.
  /// - Returns: changes of containers that run.
  func synchronize(_ pods: [NRIPodSandbox], _ containers: [NRIContainer]) async throws -> [NRIContainerUpdate]
  /// A container is about to be made.
  /// - Throws: why it is not to be.
  func create(_ pod: NRIPodSandbox, _ container: NRIContainer) async throws -> NRIContainerAdjustment
  /// Somebody changes the resources of a container.
  /// - Returns: changes of this and other containers.
  func update(_ pod: NRIPodSandbox, _ container: NRIContainer, _ resources: NRILinuxResources) async throws
    -> [NRIContainerUpdate]
  /// Everything else that was asked to be told.
  func happened(_ event: NRIEvent, _ pod: NRIPodSandbox, _ container: NRIContainer?) async
}

extension NRIHandling {
  public func configure(_ request: NRIConfigureRequest) async {}
  public func synchronize(_ pods: [NRIPodSandbox], _ containers: [NRIContainer]) async throws -> [NRIContainerUpdate] {
    []
  }
  public func update(_ pod: NRIPodSandbox, _ container: NRIContainer, _ resources: NRILinuxResources) async throws
    -> [NRIContainerUpdate]
  { [] }
  public func happened(_ event: NRIEvent, _ pod: NRIPodSandbox, _ container: NRIContainer?) async {}
}
