import JSONDocument
import KubernetesAPI
import Testing

@testable import PodScheduler

/// Space promised to volumes until the driver's figures show them.
struct VolumeReservationsTests {
  static func capacity(_ free: Int64, on node: String, className: String = "fast") -> KubernetesObject {
    var capacity = KubernetesObject(.csiStorageCapacities, namespace: "n", name: "\(className)-\(node)")
    capacity["storageClassName"] = .string(className)
    capacity["capacity"] = .string("\(free)Gi")
    return capacity
  }

  @Test func aReservationLastsUntilTheDriversFiguresShowTheVolume() {
    let reservations = VolumeReservations()
    let claim = DecisionTests.claim("x", size: "5Gi")
    for node in ["a", "b"] { reservations.capacityChanged(Self.capacity(20, on: node)) { $0 == node } }
    reservations.reserve([claim], on: "a")
    func reserved(except uids: Set<String> = []) -> Int64 {
      reservations.promised(except: uids).bytes(ofPool: "fast", storageClass: "fast", on: "a") >> 30
    }
    #expect(reserved() == 5)
    #expect(reserved(except: [claim.uid]) == 0)
    // An event from before the annotation does not release it.
    #expect(reservations.observe(claim) == .init())
    #expect(reserved() == 5)
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a")) == .init())
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a", volume: "pv")) == .init())
    #expect(reserved() == 5)
    reservations.capacityChanged(Self.capacity(15, on: "b")) { $0 == "b" }
    #expect(reserved() == 5 && reservations.isUnsettled)
    reservations.capacityChanged(Self.capacity(15, on: "a")) { $0 == "a" }
    #expect(reserved() == 0 && !reservations.isUnsettled)
  }

  @Test func aFigureBetweenTwoVolumesFreesOnlyOnePromise() {
    let reservations = VolumeReservations()
    func reserved() -> Int64 {
      reservations.promised(except: []).bytes(ofPool: "fast", storageClass: "fast", on: "a") >> 30
    }
    func publish(_ free: Int64) { reservations.capacityChanged(Self.capacity(free, on: "a")) { $0 == "a" } }
    publish(20)
    reservations.reserve([DecisionTests.claim("x", size: "5Gi"), DecisionTests.claim("y", size: "6Gi")], on: "a")
    for (name, size) in [("x", "5Gi"), ("y", "6Gi")] {
      _ = reservations.observe(DecisionTests.claim(name, size: size, selected: "a"))
    }
    // The figure shows x before anybody says that x is bound: no byte is missing, none counts twice.
    publish(15)
    #expect(reserved() == 6)
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a", volume: "pv-x")).isReleased)
    #expect(reserved() == 6)
    // y is bound before the figures show it.
    #expect(!reservations.observe(DecisionTests.claim("y", size: "6Gi", selected: "a", volume: "pv-y")).isReleased)
    #expect(reserved() == 6)
    publish(9)
    #expect(reserved() == 0)
    // What others make while nothing is promised is no credit for the next.
    publish(5)
    reservations.reserve([DecisionTests.claim("z", size: "2Gi")], on: "a")
    #expect(reserved() == 2)
  }

  @Test func aDriverWhoseFiguresNeverFallIsBelievedAfterAWhile() {
    let reservations = VolumeReservations(patience: .zero)
    reservations.reserve([DecisionTests.claim("x", size: "5Gi")], on: "a")
    _ = reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a", volume: "pv"))
    #expect(reservations.promised(except: []).bytes(ofPool: "fast", storageClass: "fast", on: "a") == 0)
    #expect(!reservations.isUnsettled)
  }

  @Test func classesOfOnePoolSeeEachOthersPromises() {
    let reservations = VolumeReservations(poolOf: { _ in "pool" })
    func reserved(_ name: String) -> Int64 {
      reservations.promised(except: []).bytes(ofPool: "pool", storageClass: name, on: "a") >> 30
    }
    func publish(_ free: Int64, _ name: String) {
      reservations.capacityChanged(Self.capacity(free, on: "a", className: name)) { $0 == "a" }
    }
    for name in ["fast", "slow"] { publish(20, name) }
    reservations.reserve(
      [DecisionTests.claim("x", size: "5Gi"), DecisionTests.claim("y", size: "6Gi", className: "slow")], on: "a")
    #expect(reserved("fast") == 11 && reserved("slow") == 11)
    publish(15, "fast")
    #expect(reserved("fast") == 6 && reserved("slow") == 11)
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a", volume: "pv")).isReleased)
    #expect(reserved("fast") == 6 && reserved("slow") == 11)
    publish(15, "slow")
    #expect(reserved("fast") == 6 && reserved("slow") == 6)
  }

  @Test func aClaimThatLosesItsNodeTellsOfAFailure() {
    let reservations = VolumeReservations()
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi", selected: "a")) == .init())
    #expect(reservations.observe(DecisionTests.claim("x", size: "5Gi")) == .init(failedNode: "a", isReleased: true))
    #expect(reservations.promised(except: []).bytes(ofPool: "fast", storageClass: "fast", on: "a") == 0)
  }
}
