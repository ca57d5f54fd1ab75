import Foundation
import PlatformHarness
import TestSupport
import Testing

/// The Debian packages and the container image, installed on bare Debians without a network.
@Suite("Packages", MadePackages(), .serialized) struct PackageTests {
  private let root = PlatformInstance.root
  private let shell = MadePackages.shell

  private func made() throws -> String { try #require(MadePackages.directory) }

  @Test("the same inputs give the same bytes")
  func reproducible() async throws {
    let made = try made()
    let names = try await shell.succeed("ls '\(made)/first'").split(separator: "\n")
    #expect(names.count == 3, "\(names)")
    try await shell.succeed("diff -rq '\(made)/first' '\(made)/second'", seconds: 180)
  }

  @Test("what is in them is root's, has its licence, and names no directory of the machine that built it")
  func contents() async throws {
    let made = try made()
    let tree = "\(made)/tree"
    let modes = ["drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"]
    for package in ["nagaya_", "nagaya-engines_"] {
      let listed = try await shell.succeed("dpkg-deb -c '\(made)'/first/\(package)*.deb", seconds: 180)
      let odd = listed.split(separator: "\n").filter {
        !$0.contains(" root/root ") || !modes.contains(String($0.prefix(10)))
      }
      #expect(odd.isEmpty)
      try await shell.succeed("dpkg-deb -x '\(made)'/first/\(package)*.deb '\(tree)'", seconds: 180)
    }
    let paths = try await shell.succeed("readelf -d '\(tree)'/usr/lib/nagaya/{nagaya,*.so} | grep -E 'R(UN)?PATH'")
    #expect(paths.split(separator: "\n").allSatisfy { $0.hasSuffix("[$ORIGIN]") }, "\(paths)")
    let pins = try await shell.succeed("ls '\(root)/.build/checkouts'").split(separator: "\n")
    for pin in pins + ["swift", "icu"] {
      try await shell.succeed("ls '\(tree)/usr/share/doc/nagaya/licences/\(pin)' | grep .")
    }
    for engine in ["containerd", "runc", "containernetworking-plugins", "kubectl"] {
      try await shell.succeed("test -s '\(tree)/usr/share/doc/nagaya-engines/licences/\(engine)/copyright'")
      try await shell.succeed("grep -E '^\(engine) [0-9].* [(]Debian' '\(tree)/usr/share/doc/nagaya-engines/versions'")
    }
  }

  @Test("the unit, the completions and the man page are what their readers take")
  func documents() async throws {
    let made = try made()
    let tree = "\(made)/documents"
    try await shell.succeed("dpkg-deb -x '\(made)'/first/nagaya_*.deb '\(tree)'", seconds: 180)
    // systemd looks whether the program is there, and the page.
    let said = try await shell.succeed(
      """
      for unit in nagaya nagaya-containers; do
        sed -E -e 's|^(Exec[A-Z][a-z]+)=/usr/bin/|\\1=\(tree)/usr/bin/|' -e /^Documentation=/d \
          '\(tree)'/usr/lib/systemd/system/$unit.service >'\(tree)'/$unit.service
      done
      systemd-analyze verify '\(tree)'/nagaya*.service 2>&1
      """)
    #expect(!said.contains("nagaya"), "\(said)")
    try await shell.succeed("bash -n '\(tree)/usr/share/bash-completion/completions/nagaya'")
    let page = try await shell.succeed(
      "zcat '\(tree)/usr/share/man/man1/nagaya.1.gz' | groff -man -Kutf8 -Tascii -P-cbou -rLL=300n -wmac")
    let lines = page.split(separator: "\n").map { $0.drop(while: \.isWhitespace) }
    for command in ["nagaya create app", "nagaya up", "nagaya uninstall", "nagaya serve images"] {
      #expect(lines.contains { $0 == command }, "\(command)")
    }
  }

  @Test(
    "they install, run an app, are upgraded under it, go, and leave nothing behind",
    arguments: [(12, "bookworm"), (13, "trixie")])
  func lifecycle(release: Int, suite: String) async throws {
    let said = try await run("without-systemd", in: suite)
    for line in said.split(separator: "\n") where line.hasPrefix("figure: ") {
      let words = line.split(separator: " ")
      figure("\(words[1]).debian\(release).debug", words[2], String(words[3]))
    }
  }

  @Test("under systemd, containers outlive restarts, kills and upgrades of the unit; `nagaya down` is not undone")
  func unit() async throws { _ = try await run("with-systemd", in: "bookworm", options: "--boot") }

  /// Runs a script of `packaging/tests` in a copy of a bare Debian.
  private func run(_ test: String, in suite: String, options: String = "") async throws -> String {
    let said = try await shell.succeed(
      """
      '\(root)/scripts/in-package-root' \(options) "$NAGAYA_ENGINES/roots/\(suite)" '\(try made())/first:/packages' \
        '\(root)/packaging:/packaging' -- /packaging/tests/\(test) /packages 2>&1
      """, seconds: 1800)
    #expect(said.contains("== done"))
    return said
  }
}
