extension NodeLimits {
  /// Takes the control groups away in which containers and the engine were: for machines on which nothing of the node is left.
  /// A group with processes stays, and so do those above it.
  public func removeControlGroups() { try? ControlGroup(path: controlGroup).remove() }
}
