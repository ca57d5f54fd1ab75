/// Files of /proc and /sys that stand for a setting: written in place, never made, and their mode is the kernel's.
public enum KernelSetting {
  public static func write(_ value: String, to path: String) throws(SystemError) {
    try OpenFile(path, .readWrite).write(Array(value.utf8))
  }
}
