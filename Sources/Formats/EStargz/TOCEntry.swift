import JSONDocument
import OCI

/// One entry of a table of contents (eStargz specification, "TOCEntry"; containers/storage has a few keys more).
struct TOCEntry {
  enum Kind {
    case member(LayerEntry)
    /// A further chunk of the file before it.
    case chunk
  }

  let name: String
  let kind: Kind
  /// Where the compressed stream begins; 0 if the entry has none.
  let offset: Int64
  let chunkOffset: Int64
  /// 0: to the end of the file.
  let chunkSize: Int64
  let innerOffset: Int64
  let isZeros: Bool
  /// Of the whole file.
  let digest: SHA256Bytes?
  let chunkDigest: SHA256Bytes?

  init(_ bytes: ArraySlice<UInt8>) throws(LayerTOCError) {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: bytes, limits: JSONLimits(depth: 8, bytes: 1 << 20))
    } catch {
      throw LayerTOCError(.malformed("an entry: \(error)"))
    }
    guard case .object(let members) = json, let name = members["name"]?.string, let type = members["type"]?.string
    else { throw LayerTOCError(.malformed("an entry without name or type")) }
    self.name = name
    func bad(_ what: String) -> LayerTOCError { LayerTOCError(.badEntry(what), path: String(name.prefix(300))) }
    func number(_ key: String, _ range: ClosedRange<Int64> = 0...(1 << 60)) throws(LayerTOCError) -> Int64 {
      guard let value = members[key], value != .null else { return 0 }
      guard let number = value.int.map({ Int64($0) }), range.contains(number) else {
        throw bad("\(key) is not a number that could be")
      }
      return number
    }
    func digest(_ key: String) throws(LayerTOCError) -> SHA256Bytes? {
      guard let text = members[key]?.string, !text.isEmpty else { return nil }
      guard let digest = SHA256Bytes(text) else { throw bad("\(key) is no SHA-256 digest") }
      return digest
    }
    // What writers of JSON put for bytes that are no text: the archive has another name there.
    if [name, members["linkName"]?.string ?? ""].contains(where: { $0.unicodeScalars.contains("\u{FFFD}") }) {
      throw bad("a name that is not UTF-8")
    }
    func path(_ text: String) throws(LayerTOCError) -> [UInt8] {
      do throws(LayerPath.Fault) { return try LayerPath.plain(Array(text.utf8)) } catch {
        throw LayerTOCError(.badName(error), path: String(name.prefix(300)))
      }
    }
    offset = try number("offset")
    chunkOffset = try number("chunkOffset")
    chunkSize = try number("chunkSize")
    innerOffset = try number("innerOffset")
    isZeros = members["chunkType"]?.string == "zeros"
    self.digest = try digest("digest")
    chunkDigest = try digest("chunkDigest")

    let linkName = members["linkName"]?.string ?? ""
    let device = (
      major: UInt32(try number("devMajor", 0...0xFFF)), minor: UInt32(try number("devMinor", 0...0xF_FFFF))
    )
    let memberKind: LayerEntry.Kind
    switch type {
    case "chunk":
      kind = .chunk
      return
    case "reg": memberKind = .file(size: try number("size"))
    case "dir": memberKind = .directory
    case "symlink":
      guard !linkName.isEmpty, linkName.utf8.count < LayerPath.limit, !linkName.utf8.contains(0) else {
        throw bad("a symbolic link without a usable target")
      }
      memberKind = .symbolicLink(target: Array(linkName.utf8))
    case "hardlink": memberKind = .hardLink(target: try path(linkName))
    case "char": memberKind = .characterDevice(major: device.major, minor: device.minor)
    case "block": memberKind = .blockDevice(major: device.major, minor: device.minor)
    case "fifo": memberKind = .fifo
    default: throw bad("entries of type \(type.prefix(40)) are not known")
    }
    var attributes = FileAttributes(
      mode: UInt16(try number("mode", 0...Int64(UInt32.max)) & 0o7777),
      uid: UInt32(try number("uid", 0...Int64(UInt32.max))),
      gid: UInt32(try number("gid", 0...Int64(UInt32.max))))
    if let text = members["modtime"]?.string ?? members["modTime"]?.string, !text.isEmpty {
      guard let time = RFC3339.time(text) else { throw bad("modtime is not a time") }
      attributes.modificationTime = time
    }
    for (key, value) in members["xattrs"]?.members ?? [:] {
      guard let bytes = value.string.flatMap(Base64.decode) else { throw bad("the attribute \(key) is not base64") }
      attributes.extendedAttributes[key] = bytes
    }
    kind = .member(LayerEntry(path: try path(name), kind: memberKind, attributes: attributes))
  }
}
