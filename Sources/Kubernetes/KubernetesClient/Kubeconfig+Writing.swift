import Foundation
import JSONDocument
import KubernetesAPI

#if canImport(Glibc)
  import Glibc
#endif

extension Kubeconfig {
  /// The file's text, as kubectl writes it.
  public func yaml() throws -> String { try YAML.text(of: json) }

  var json: JSONValue {
    func put(_ material: Material?, _ key: String, into json: inout JSONValue) {
      switch material {
      case nil: break
      case .inline(let bytes): json["\(key)-data"] = .string(Data(bytes).base64EncodedString())
      case .file(let path): json[key] = .string(path)
      }
    }
    func list<Value>(_ values: [String: Value], _ key: String, _ convert: (Value) -> JSONValue) -> JSONValue {
      .array(values.sorted { $0.key < $1.key }.map { ["name": .string($0.key), .init(key): convert($0.value)] })
    }
    var config: JSONValue = [
      "apiVersion": "v1", "kind": "Config", "preferences": [:], "current-context": .string(currentContext),
    ]
    config["clusters"] = list(clusters, "cluster") { cluster in
      var json: JSONValue = ["server": .string(cluster.server)]
      put(cluster.authority, "certificate-authority", into: &json)
      if cluster.skipsVerification { json["insecure-skip-tls-verify"] = true }
      return json
    }
    config["users"] = list(users, "user") { user in
      var json: JSONValue = [:]
      put(user.clientCertificate, "client-certificate", into: &json)
      put(user.clientKey, "client-key", into: &json)
      switch user.token {
      case nil: break
      case .inline(let bytes): json["token"] = .string(String(decoding: bytes, as: UTF8.self))
      case .file(let path): json["tokenFile"] = .string(path)
      }
      return json
    }
    config["contexts"] = list(contexts, "context") { context in
      var json: JSONValue = ["cluster": .string(context.cluster), "user": .string(context.user)]
      json.set("namespace", ifPresent: context.namespace.map { .string($0) })
      return json
    }
    return config
  }

  /// Replaces the file, readable by its owner alone (0600): whole or untouched after a crash.
  public func write(to path: String) throws(KubeconfigError) {
    let text: String
    do { text = try yaml() } catch { throw .unwritable(path: path, reason: "\(error)") }
    let temporary = "\(path).\(getpid()).tmp"
    func failure(_ action: String) -> KubeconfigError {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      return .unwritable(path: path, reason: "\(action): \(reason)")
    }
    let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) } catch {
      throw .unwritable(path: path, reason: (error as NSError).localizedDescription)
    }
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure("create") }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        break
      }
      rest = rest.dropFirst(count)
    }
    let isWritten = rest.isEmpty && fsync(descriptor) == 0
    guard close(descriptor) == 0, isWritten else { throw failure("write") }
    guard rename(temporary, path) == 0 else { throw failure("replace") }
    let directoryDescriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directoryDescriptor >= 0 else { throw failure("open the directory") }
    defer { close(directoryDescriptor) }
    guard fsync(directoryDescriptor) == 0 else { throw failure("sync the directory") }
  }
}
