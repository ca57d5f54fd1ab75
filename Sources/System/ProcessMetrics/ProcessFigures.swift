import Glibc
import LinuxSystem

/// What the kernel counts of this process (proc(5)), under the names that Prometheus' client libraries give it.
public enum ProcessFigures {
  public static var metrics: MetricsText {
    var text = MetricsText()
    let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    // Behind the name, which may hold anything: fields 3 and on.
    if let stat = SmallFile.text("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
      let fields = stat[stat.index(after: end)...].split(separator: " ")
      func field(_ number: Int) -> Double { number - 3 < fields.count ? Double(fields[number - 3]) ?? 0 : 0 }
      text.counter(
        "process_cpu_seconds_total", "Processor time, of the user and of the system, in seconds.",
        (field(14) + field(15)) / ticks)
      text.gauge("process_threads", "Threads.", field(20))
      text.gauge(
        "process_start_time_seconds", "When the process began, in seconds since 1970.", bootTime + field(22) / ticks)
      text.gauge("process_virtual_memory_bytes", "Memory that is mapped.", field(23))
      text.gauge(
        "process_resident_memory_bytes", "Memory that is there, shared pages in full.",
        field(24) * Double(sysconf(Int32(_SC_PAGESIZE))))
    }
    if let pss = kilobytes("Pss:", in: "/proc/self/smaps_rollup") {
      text.gauge("nagaya_process_pss_bytes", "Memory that is there, shared pages by their share.", pss * 1024)
    }
    if let open = Directory.namesIfReadable(in: "/proc/self/fd").nonEmpty {
      // One is that by which they are counted.
      text.gauge("process_open_fds", "Open file descriptors.", open.count - 1)
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      text.gauge("process_max_fds", "File descriptors that may be open.", Double(limit.rlim_cur))
    }
    return text
  }

  private static var bootTime: Double {
    let lines = (SmallFile.text("/proc/stat") ?? "").split(separator: "\n")
    return lines.first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst("btime ".utf8.count)) } ?? 0
  }

  private static func kilobytes(_ name: String, in path: String) -> Double? {
    let line = (SmallFile.text(path) ?? "").split(separator: "\n").first { $0.hasPrefix(name) }
    return line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Double($0) }
  }
}

extension Collection {
  fileprivate var nonEmpty: Self? { isEmpty ? nil : self }
}
