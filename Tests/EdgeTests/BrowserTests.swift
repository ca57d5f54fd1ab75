import CertificateAuthority
import Edge
import Foundation
import KubernetesAPI
import Logging
import NIOCore
import Subprocess
import TestSupport
import Testing

/// What a real browser makes of the platform's hosts.
@Suite("Chromium and the edge")
struct BrowserTests {
  /// Visits the attacker's app, then the victim's, and prints what each saw as JSON.
  private static let script = """
    import json, sys
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    profile, evil, sister, victim = sys.argv[1:5]
    options = Options()
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--ignore-certificate-errors", "--user-data-dir=" + profile]:
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    def get(url):
        # Links that come and go beside it end whatever the browser has under way.
        for _ in range(20):
            driver.get(url)
            if "ERR_NETWORK_CHANGED" not in driver.page_source:
                return
    def text(url):
        get(url)
        return driver.execute_script("return document.body.innerText")
    def fetched(url):
        return driver.execute_async_script(
            "const done = arguments[1];"
            "fetch(arguments[0], {credentials: 'include', mode: 'no-cors'}).then(() => done('ok'), e => done('' + e))", url)
    seen = {}
    try:
        # The victim's visitor has logged in.
        get(victim + "login")
        seen["victim before"] = text(victim + "headers")
        # The attacker's app answers with cookies for everybody, and its page sets some by script.
        get(evil + "plant")
        seen["planted"] = driver.execute_script(
            "for (const d of ['localhost', '.localhost', 'blue.localhost', 'dev.blue.localhost', 'demo.localhost'])"
            "  document.cookie = 'script_' + d.replace(/[.]/g, '_') + '=1; path=/; secure; domain=' + d;"
            "return document.cookie")
        seen["fetch victim"] = fetched(victim + "cross")
        seen["fetch sister"] = fetched(sister + "cross")
        seen["sister"] = text(sister + "headers")
        seen["victim after"] = text(victim + "headers")
    finally:
        driver.quit()
    print(json.dumps(seen))
    """

  @Test("keep tenants apart as sites: no cookie of one reaches the other, and requests between them are cross-site")
  func sites() async throws {
    let directory = "/tmp/nagaya-browser-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory)
    let (evil, sister, victim) = (try await CookiePod(), try await CookiePod(), try await CookiePod())
    let routes = RoutingTable()
    for (tenant, app, pod) in [("demo", "evil", evil), ("demo", "sister", sister), ("blue", "shop", victim)] {
      let key = ObjectKey(namespace: "\(tenant)-dev", name: app)
      routes.setEnvironment(TenantEnvironment(tenant: tenant, name: "dev"), ofNamespace: key.namespace)
      routes.setApp(key, reason: "", message: "")
      routes.setSlice(ObjectKey(namespace: key.namespace, name: app), service: key, ready: [pod.endpoint])
    }
    let server = try await EdgeServer(
      EdgeConfiguration(address: "127.0.0.1", port: 0, domain: "localhost"), routes: routes,
      certificates: LeafCache(signer: LocalLeafSigning(authority, domain: "localhost"), domain: "localhost"),
      logger: Logger(label: "edge"))
    let port = try await server.start().port ?? 0
    try Self.script.write(toFile: "\(directory)/visit.py", atomically: true, encoding: .utf8)
    func url(_ host: String) -> String { "https://\(host).localhost:\(port)/" }
    let visit = try await Subprocess.run(
      .path("/usr/bin/timeout"),
      arguments: [
        "-k", "5", "240", "/usr/bin/python3", "\(directory)/visit.py", "\(directory)/profile", url("evil.dev.demo"),
        url("sister.dev.demo"), url("shop.dev.blue"),
      ],
      environment: .inherit.updating(["HOME": "\(directory)"]), output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    await server.stop()
    for pod in [evil, sister, victim] { await pod.stop() }
    let seen = try #require(
      try? JSONDecoder().decode([String: String].self, from: Data(visit.standardOutput.utf8)),
      "\(visit.standardOutput)\(visit.standardError)")

    func cookies(_ page: String) -> String {
      seen[page, default: ""].split(separator: "\n").first { $0.hasPrefix("cookie:") }.map(String.init) ?? ""
    }
    #expect(cookies("victim before") == "cookie: session=v; strict=v", "\(seen)")
    // The attacker's answer and script set what they could for their own tenant, and nothing else.
    #expect(seen["planted"]?.contains("script_demo_localhost=1") == true, "\(seen)")
    #expect(cookies("sister").contains("own=1") && cookies("sister").contains("script_demo_localhost=1"), "\(seen)")
    let held = try await attempt(Attack(.editor, "cookies for every domain, in Chromium", on: .otherTraffic)) {
      .check(cookies("victim after") == "cookie: session=v; strict=v", cookies("victim after"))
    }
    #expect(held)
    // Between tenants a request is cross-site: no cookie that is SameSite goes along. Inside one it does.
    let isCrossSite = try await attempt(Attack(.editor, "a request with a visitor's cookies", on: .otherTraffic)) {
      let heads = victim.heads(of: "/cross")
      return .check(
        heads.count == 1 && !heads.contains { $0.contains("strict=v") }
          && heads[0].contains("sec-fetch-site: cross-site"),
        "\(heads)")
    }
    #expect(isCrossSite)
    let own = sister.heads(of: "/cross")
    #expect(own.count == 1 && own[0].contains("sec-fetch-site: same-site") && own[0].contains("own=1"), "\(own)")
  }
}
