import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A volume's way from one node to another.
  static let volumeMove = ResourceDefinition(
    .volumeMoves, singular: "volumemove", shortNames: ["vm"], categories: ["nagaya"],
    schema: "dev.nagaya.storage.v1alpha1.VolumeMove",
    columns: [
      .name,
      .text("Volume", "What moves.") { $0.spec["volumeName"].string }.showing(".spec.volumeName"),
      .text("From", "The node that it was on.", missing: "") { $0.status["sourceNode"].string }
        .showing(".status.sourceNode"),
      .text("To", "The node that it goes to.") { $0.spec["targetNode"].string }.showing(".spec.targetNode"),
      .text("Phase", "How far it is.") { $0.status["phase"].string ?? "Pending" }.showing(".status.phase"),
      .text("Copied", "How much of it was compared in this round.", missing: "") { move in
        guard let done = move.status["source"]["comparedBytes"].int, let all = move.status["bytes"].int, all > 0 else {
          return nil
        }
        return "\(min(100, done / max(1, all / 100))) %"
      },
      .text("Message", "What it waits for, or why it failed.", missing: "") { $0.status["message"].string }
        .showing(".status.message"),
      .age,
    ],
    selectableFields: [SelectableField("spec.targetNode") { $0.spec["targetNode"].string ?? "" }],
    subresources: [.status], hasGeneration: true,
    prepareForCreate: { $0.json["status"] = ["phase": "Pending"] },
    validate: { move, old in
      var faults = FieldFaults()
      faults.checkDNSSubdomain("spec.volumeName", move.spec["volumeName"])
      faults.checkDNSSubdomain("spec.targetNode", move.spec["targetNode"])
      faults.checkPositiveSize("spec.bytesPerSecond", move.spec["bytesPerSecond"])
      if let old {
        for key in ["volumeName", "targetNode"] {
          faults.checkImmutable("spec.\(key)", new: move.spec[key], old: old.spec[key])
        }
      }
      return faults.causes
    })
}
