import JSONDocument
import LinuxSystem
import Subprocess

#if canImport(Glibc)
  import Glibc
#endif

/// What containers start from where neither the image nor the pod says otherwise: containerd's own specification (OCI runtime
/// specification, `config.json`) with limits of processes in it.
struct RuntimeSpecification {
  let layout: ContainerdLayout

  /// Writes the file that `base_runtime_spec` names.
  /// - Throws: `EngineError` if containerd's client can't tell its own specification.
  /// - Returns: whether the file changed.
  func write() async throws -> Bool {
    let program = layout.program("ctr")
    let result = try await Subprocess.run(
      .path(.init(program)), arguments: ["oci", "spec"],
      environment: .custom(["PATH": layout.searchPath, "HOME": "/root"]),
      output: .bytes(limit: 1 << 20), error: .string(limit: 64 << 10))
    guard case .exited(0) = result.terminationStatus, var specification = try? JSONValue(parsing: result.standardOutput)
    else {
      throw EngineError.commandFailed(
        command: "ctr oci spec", exit: "\(result.terminationStatus)", output: result.standardError)
    }
    specification["process"]["rlimits"] = .array(Self.limits(most: Self.hardLimit))
    let bytes = Array(specification.encodedForReading())
    if let present = try? SmallFile.read(layout.runtimeSpecification), present == bytes { return false }
    do { try DurableFile.write(bytes, to: layout.runtimeSpecification, permissions: 0o600) } catch {
      throw EngineError.cannotPrepare(error)
    }
    return true
  }

  /// - Parameter most: open files that this process may allow; raising that needs a capability.
  static func limits(most: UInt64) -> [JSONValue] {
    // number: no more than openFiles
    let files = JSONValue(Int(min(UInt64(NodeLimits.openFiles), most)))
    return [
      ["type": "RLIMIT_NOFILE", "soft": files, "hard": files],
      // A core would be written where the kernel's pattern says, which is on the node.
      ["type": "RLIMIT_CORE", "soft": 0, "hard": 0],
    ]
  }

  static var hardLimit: UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return UInt64(limit.rlim_max)
  }
}
