import Foundation
import JSONDocument
import Locking
import Placement
import PlacementSimulator
import Testing

@testable import PlacementReports

/// A small study that runs in a moment.
func smallStudy(_ policies: [StandardPolicy] = [.standard, .mostFree, .random], seeds: [UInt64] = [1, 2]) -> Study {
  let cluster = SimulatedCluster(nodeCount: 5, poolBytes: 200 << 30)
  var workload = WorkloadDescription(
    kinds: [
      .init(weight: 19, demand: .init(bytes: 10 << 30)), .init(weight: 1, demand: .init(bytes: 100 << 30)),
    ],
    lifetimes: [.init(weight: 1, meanSeconds: 100)], arrivalRate: 1, requests: 1500)
  workload.setLoad(0.8, capacityBytes: cluster.capacityBytes)
  return Study(
    name: "small", title: "A <small> study", scenario: .described(workload, cluster, load: 0.8), policies: policies,
    seeds: seeds)
}

@Suite struct StudyTests {
  @Test func `A study gives the same figures however many cores run it`() async throws {
    let study = smallStudy()
    let one = try await StudyRunner(width: 1).run(study)
    let many = try await StudyRunner(width: 8).run(study)
    #expect(one.json == many.json)
    #expect(one.outcomes.map(\.policy) == study.policies)
    #expect(one.outcomes.allSatisfy { $0.runs.map(\.seed) == [1, 2] })
    // Common random numbers: the same requests for every policy.
    #expect(Set(one.outcomes.map { $0.runs[0].counts.requestedBytes }).count == 1)
  }

  @Test func `Progress counts up to the end`() async throws {
    let seen = Mutex<[Int]>([])
    _ = try await StudyRunner(width: 2) { progress in seen.withLock { $0.append(progress.done) } }.run(smallStudy())
    #expect(seen.withLock { $0 } == Array(0...10))
  }

  @Test func `The spare that is searched for keeps to the limit, and a step less does not`() async throws {
    var study = smallStudy([.mostFree], seeds: [1])
    study.search = .spare
    study.pendingLimit = 0.01
    let outcome = try #require(try await StudyRunner().run(study).outcomes.first)
    let spare = try #require(outcome.spares.first ?? nil)
    #expect((0.01..<0.8).contains(spare))
    guard case .described(var workload, let cluster, _) = study.scenario else { return }
    for (load, isEnough) in [(1 - spare, true), (1 - spare + 0.2, false)] {
      workload.setLoad(load, capacityBytes: cluster.capacityBytes)
      let result = try Simulator.run(
        policy: MostFreePolicy(), workload: workload, cluster: cluster,
        options: SimulationOptions(seed: 1, warmupRequests: 375))
      #expect((result.counts.pendingRate < 0.01) == isEnough, "\(load): \(result.counts.pendingRate)")
    }
  }

  @Test(arguments: [1, 3, 7, 100]) func `The least number of nodes is found from any guess`(guess: Int) throws {
    let events = (0..<10).map { index in
      SimulationEvent(time: Double(index), id: index, change: .arrive(PlacementDemand(bytes: 60)))
    }
    let found = try NodeSearch(pendingLimit: 0).leastNodes(guess: guess) { count in
      try Simulator.run(
        policy: MostFreePolicy(), workload: RecordedWorkload(events),
        cluster: SimulatedCluster(nodeCount: count, poolBytes: 130))
    }
    #expect(found == 5)
  }

  @Test func `No number of nodes holds what is larger than a node`() throws {
    let events = [SimulationEvent(time: 0, id: 0, change: .arrive(PlacementDemand(bytes: 60)))]
    let found = try NodeSearch(pendingLimit: 0, most: 64).leastNodes(guess: 4) { count in
      try Simulator.run(
        policy: MostFreePolicy(), workload: RecordedWorkload(events),
        cluster: SimulatedCluster(nodeCount: count, poolBytes: 50))
    }
    #expect(found == nil)
  }

  @Test func `A history has the bound beside what the policies need`() async throws {
    let events = (0..<10).map { index in
      SimulationEvent(time: Double(index), id: index, change: .arrive(PlacementDemand(bytes: 60)))
    }
    let node = NodeDescription(name: "n", pools: [PoolDescription(capacityBytes: 100)])
    var study = Study(
      name: "h", title: "h",
      scenario: .history(RecordedWorkload(events), node: node, deviceClasses: ["default"], count: 4),
      policies: [.mostFree, .bestFit], seeds: [1], warmup: 0, search: .spare)
    study.pendingLimit = 0
    let result = try await StudyRunner().run(study)
    #expect(result.outcomes.map(\.nodes) == [[10], [10]])
    // By bytes six nodes would do; volumes above half a node need one each.
    #expect(result.bounds.nodesL1 == 6)
    #expect(result.bounds.nodesL2 == 10)
    #expect(result.bounds.nodes == 10)
    #expect(result.freeMoves?.nodes == [10])
    #expect(StudyTable(result).rows.suffix(2).map { Array($0.prefix(2)) } == [["free moves", "10"], ["bound", "10"]])
  }

  @Test func `Beside every result stand what free moves reach and what nobody can beat`() async throws {
    var study = smallStudy()
    study.search = .spare
    study.pendingLimit = 0.01
    let result = try await StudyRunner().run(study)
    let bound = try #require(result.bounds.spare)
    #expect(result.bounds.spares.count == 2)
    for outcome in result.outcomes {
      for (spare, bound) in zip(outcome.spares, result.bounds.spares) { #expect((spare ?? 0.8) >= bound) }
      for run in outcome.runs {
        #expect(run.counts.pending >= run.bounds.refusalsL2 ?? .max)
        #expect(run.bounds.refusalsL1 ?? .max <= run.bounds.refusalsL2 ?? 0)
        #expect(run.bounds.pendingWithFreeMoves != nil)
        #expect(run.bounds.nodesL1 ?? .max <= run.bounds.nodesL2 ?? 0)
      }
    }
    #expect(bound.mean >= 0)
    let table = StudyTable(result)
    #expect(table.rows.map { $0[0] } == ["default", "most-free", "random", "free moves", "bound"])
    #expect(result.json["bounds"]["spareNeeded"]["mean"].double == bound.mean)
    let words = HTMLPage(result, command: "").text
    #expect(words.contains("what no policy can beat"))
    #expect(words.contains("no policy can need less than") == (bound.mean > 0))
  }

  private func result(_ spares: [StandardPolicy: [Double]]) -> StudyResult {
    let study = smallStudy(spares.keys.sorted { $0.rawValue < $1.rawValue })
    return StudyResult(
      study: study,
      outcomes: study.policies.map { policy in
        var outcome = StudyResult.Outcome(policy: policy, runs: [])
        outcome.spares = spares[policy] ?? []
        return outcome
      })
  }

  @Test func `The verdict says plainly when another policy beats the default`() throws {
    let beaten = try #require(Verdict(result([.standard: [0.20, 0.21, 0.19], .bestFit: [0.15, 0.16, 0.14]])))
    #expect(beaten.defaultIsBeaten)
    #expect(beaten.text.contains("best-fit beats the default"))
    let chance = try #require(Verdict(result([.standard: [0.20, 0.10, 0.19], .bestFit: [0.15, 0.16, 0.14]])))
    #expect(!chance.defaultIsBeaten)
    #expect(chance.text.contains("within its 95 % interval"))
    let wins = try #require(Verdict(result([.standard: [0.1, 0.1], .bestFit: [0.15, 0.16]])))
    #expect(wins.text.hasPrefix("The default policy has the least"))
    #expect(Verdict(result([.standard: [0.1]])) == nil)
  }
}
