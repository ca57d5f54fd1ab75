import ArgumentParser
import JSONDocument
import KubernetesAPI
import OCI

/// `/PATH=IMAGE[,sub=PATH][,pull=POLICY]` on the command line: an image whose files the app finds at a path.
struct ImageVolumeArgument: ExpressibleByArgument, Hashable {
  let mountPath: String
  let image: String
  private(set) var subPath: String?
  private(set) var pullPolicy: String?

  struct Malformed: Error, Hashable, CustomStringConvertible {
    let description: String
  }

  private static let policies = ["Always", "IfNotPresent", "Never"]

  init(parsing text: String) throws(Malformed) {
    guard let equals = text.firstIndex(of: "=") else {
      throw Malformed(
        description: "an image volume is /PATH=IMAGE, such as /models=registry.local/team/llama:3, and may go on with "
          + ",sub=DIRECTORY of the image")
    }
    mountPath = String(text[..<equals])
    guard mountPath.isAbsolutePath, mountPath != "/", !mountPath.leadsUpwards else {
      throw Malformed(description: "the path \"\(mountPath)\" must be absolute, without .., and not / itself")
    }
    let parts = text[text.index(after: equals)...].split(separator: ",", omittingEmptySubsequences: false)
    image = String(parts[0])
    do { _ = try ImageReference(image) } catch {
      throw Malformed(description: "\"\(image)\" is no name of an image: \(error)")
    }
    for part in parts.dropFirst() {
      let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2 else {
        throw Malformed(description: "\"\(part)\" is neither sub=PATH nor pull=\(Self.policies.joined(separator: "|"))")
      }
      switch words[0] {
      case "sub":
        guard !words[1].isEmpty, !words[1].isAbsolutePath, !words[1].leadsUpwards else {
          throw Malformed(description: "sub=\(words[1]) must be a path within the image, relative and without ..")
        }
        subPath = words[1]
      case "pull":
        guard Self.policies.contains(words[1]) else {
          throw Malformed(description: "pull=\(words[1]) must be one of \(Self.policies.joined(separator: ", "))")
        }
        pullPolicy = words[1]
      default:
        throw Malformed(description: "\"\(words[0])\" is neither sub nor pull")
      }
    }
  }

  init?(argument: String) {
    guard let volume = try? ImageVolumeArgument(parsing: argument) else { return nil }
    self = volume
  }

  var json: JSONValue {
    var json: JSONValue = ["mountPath": .string(mountPath), "image": .string(image)]
    json.set("subPath", ifPresent: subPath.map { .string($0) })
    json.set("pullPolicy", ifPresent: pullPolicy.map { .string($0) })
    return json
  }
}
