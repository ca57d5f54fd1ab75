import ArgumentParser

/// Whether a command waits for what it has set in motion.
struct WaitOptions: ParsableArguments {
  @Flag(inversion: .prefixedNo, help: "Wait until it is done.") var wait = true

  @Option(help: ArgumentHelp("How long to wait: 90s, 2m. The exit code is 124 when the time is up.", valueName: "time"))
  var timeout = TimeSpan(seconds: 120)
}
