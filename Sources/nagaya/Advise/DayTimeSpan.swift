import ArgumentParser

/// A span of time on the command line that may be long: `14d`, `2w`, or as `TimeSpan` takes it.
struct DayTimeSpan: ExpressibleByArgument, Hashable, Sendable {
  let seconds: Int

  init(seconds: Int) { self.seconds = seconds }

  init?(argument: String) {
    let units = ["d": 86_400, "w": 604_800]
    if let unit = argument.last.flatMap({ units[String($0)] }), let number = Int(argument.dropLast()),
      (1...100_000).contains(number)
    {
      seconds = number * unit
    } else if let span = TimeSpan(argument: argument), span.seconds > 0 {
      seconds = span.seconds
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { seconds % 86_400 == 0 ? "\(seconds / 86_400)d" : "\(seconds)s" }
}
