import Glibc

/// The time of day, for headers that hold dates.
enum WallClock {
  /// Since 1970.
  static var seconds: Int64 { Int64(time(nil)) }
}
