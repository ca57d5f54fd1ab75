import Testing

@testable import PlacementReports

@Suite struct EstimateTests {
  @Test func `The interval is Student's`() throws {
    // Ten values of mean 5.5 and standard deviation 3.02765: t(9) = 2.262.
    let estimate = try #require(Estimate((1...10).map(Double.init)))
    #expect(abs(estimate.mean - 5.5) < 1e-12)
    #expect(abs(estimate.halfWidth - 2.262 * 3.02765 / 10.0.squareRoot()) < 1e-3)
    #expect(Estimate([]) == nil)
    #expect(Estimate([3])?.halfWidth == 0)
  }

  @Test(arguments: [(1, 12.706), (9, 2.262), (20, 2.086), (30, 2.042), (120, 1.980)])
  func `Quantiles agree with the tables`(degrees: Int, value: Double) {
    #expect(abs(Estimate.quantile(degrees: degrees) - value) < 0.002)
  }
}
