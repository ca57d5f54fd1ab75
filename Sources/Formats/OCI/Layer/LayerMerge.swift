extension LayerTree {
  /// What overlayfs would show of several layers, as one tree: whiteouts and opaque directories have done their work and
  /// are gone. Extents keep their offsets; layer `i` becomes data device `i + 1`.
  /// - Parameter layers: lowest first.
  public static func merged(_ layers: [LayerTree]) -> LayerTree {
    var root = LayerTree.Node(.directory([]), FileAttributes(mode: 0o755))
    root.isImplied = true
    var merge = LayerMerge(nodes: [root])
    for (index, layer) in layers.enumerated() { merge.add(layer, device: UInt16(index + 1)) }
    return merge.finish()
  }
}

/// The merged tree under construction: names in dictionaries until all layers are in.
private struct LayerMerge {
  var nodes: [LayerTree.Node]
  private var names: [Int: [[UInt8]: Int]] = [:]

  init(nodes: [LayerTree.Node]) { self.nodes = nodes }

  mutating func add(_ layer: LayerTree, device: UInt16) {
    /// Nodes of the layer that have their place already: further names are hard links.
    var placed: [Int: Int] = [:]
    var directories = [(source: 0, target: 0)]
    apply(layer.nodes[0], to: 0)
    while let (source, target) = directories.popLast() {
      if layer.nodes[source].isOpaque { names[target] = [:] }
      for child in layer.children(of: source) {
        let node = layer.nodes[child.node]
        if node.content == .whiteout {
          names[target]?[child.name] = nil
          continue
        }
        let existing = names[target]?[child.name]
        if node.isDirectory {
          if let existing, nodes[existing].isDirectory {
            apply(node, to: existing)
            directories.append((child.node, existing))
            continue
          }
          directories.append((child.node, nodes.count))
        } else if let number = placed[child.node] {
          names[target, default: [:]][child.name] = number
          continue
        }
        placed[child.node] = nodes.count
        names[target, default: [:]][child.name] = nodes.count
        nodes.append(Self.moved(node, to: device))
      }
    }
  }

  private mutating func apply(_ node: LayerTree.Node, to target: Int) {
    guard !node.isImplied else { return }
    nodes[target].attributes = node.attributes
    nodes[target].isImplied = false
  }

  private static func moved(_ node: LayerTree.Node, to device: UInt16) -> LayerTree.Node {
    var node = node
    node.isOpaque = false
    if case .file(let size, var extents) = node.content {
      for index in extents.indices { extents[index].device = device }
      node.content = .file(size: size, extents: extents)
    } else if node.isDirectory {
      node.content = .directory([])
    }
    return node
  }

  func finish() -> LayerTree {
    var numbers = [0: 0]
    var reached = [0]
    var tree = LayerTree(nodes: [])
    var index = 0
    while index < reached.count {
      var node = nodes[reached[index]]
      node.linkCount = node.isDirectory ? 2 : 0
      if node.isDirectory {
        var children: [LayerTree.Child] = []
        let sorted = (names[reached[index]] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (name, child) in sorted {
          if nodes[child].isDirectory { node.linkCount += 1 }
          let number = numbers[child] ?? reached.count
          if number == reached.count {
            numbers[child] = number
            reached.append(child)
          }
          children.append(LayerTree.Child(name: name, node: number))
        }
        node.content = .directory(children)
      }
      tree.nodes.append(node)
      index += 1
    }
    tree.countLinks()
    return tree
  }
}
