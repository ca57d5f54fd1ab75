import KubernetesAPI

/// What a part of the platform may list and watch of kinds of which it needs only some: those that have a label.
public struct ListLimits: Sendable {
  /// The label, by the kind's plural (with its group, if it has one).
  let labels: [String: String]

  public init(_ labels: [Resource: String]) {
    self.labels = Dictionary(uniqueKeysWithValues: labels.map { ($0.key.qualifiedPlural, $0.value) })
  }

  /// Why the part may not do this; `nil` if nothing speaks against it here.
  func refusal(of access: AccessAttributes) -> String? {
    let plural = access.group.isEmpty ? access.resource : "\(access.resource).\(access.group)"
    guard let label = labels[plural] else { return nil }
    let isNarrowed =
      ["list", "watch"].contains(access.verb)
      && ((try? LabelSelector(parsing: access.labelSelector))?.requirements.contains(.exists(label)) ?? false)
    return isNarrowed ? nil : "\(access.user.name) may only list and watch \(plural) that have the label \(label)"
  }
}

extension AccessAttributes {
  /// Roles know no selectors, and their decisions are kept.
  var withoutSelectors: AccessAttributes {
    var plain = self
    (plain.fieldSelector, plain.labelSelector) = ("", "")
    return plain
  }
}
