import KubernetesAPI
import Testing

@testable import PodScheduler

struct ClaimHistoryTests {
  @Test func eachClaimIsLearnedOnceWithItsGrowthAndItsEnd() {
    let history = ClaimHistory()
    let claim = DecisionTests.claim("x", size: "5Gi")
    #expect(history.observe(claim, pool: nil) == nil)
    #expect(history.observe(claim, pool: "p") == .requested(pool: "p", bytes: 5 << 30))
    #expect(history.observe(DecisionTests.claim("x", size: "5Gi", selected: "a"), pool: "p") == nil)
    #expect(
      history.observe(DecisionTests.claim("x", size: "8Gi"), pool: "p")
        == .grew(pool: "p", from: 5 << 30, to: 8 << 30, times: 0)
    )
    #expect(
      history.observe(DecisionTests.claim("x", size: "9Gi"), pool: nil)
        == .grew(pool: "p", from: 8 << 30, to: 9 << 30, times: 1)
    )
    #expect(history.end(claim.uid) == .ended(pool: "p", bytes: 9 << 30, times: 2))
    #expect(history.end(claim.uid) == nil)
  }
}
