import LinuxSystem

extension PodFirewall {
  /// Measures what the rules of a pod cost on this machine: puts pods, one after the other, into tables of their own, half
  /// of them into one environment, and takes all away again.
  /// - Returns: how long each took.
  public static func timeAdmissions(_ pods: Int, in network: PodNetwork) async throws -> [Duration] {
    let firewall = PodFirewall(network: network)
    do {
      try await firewall.replace([:])
      var times: [Duration] = []
      for number in 0..<max(0, min(pods, 65_000)) {
        let namespace = number.isMultiple(of: 2) ? "tenant-dev" : "tenant-\(number)"
        let (high, low) = (number >> 8, number & 255)
        func hexadecimal(_ value: Int) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
        guard
          let endpoint = PodEndpoint(
            link: "vethbench\(number)", hardwareAddress: "02:00:00:00:\(hexadecimal(high)):\(hexadecimal(low))",
            address: "10.255.\(high).\(low)"),
          let zone = NetworkZone(namespace: namespace, labels: [:])
        else { continue }
        let began = ContinuousClock.now
        try await firewall.admit("\(number)", .init(endpoint: endpoint, namespace: namespace, zone: zone))
        times.append(.now - began)
      }
      try await remove(network)
      return times
    } catch {
      try? await remove(network)
      throw error
    }
  }
}
