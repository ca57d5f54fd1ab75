import JSONDocument
import KubernetesAPI

/// Mounts the token of its service account in a pod that asks for it (Kubernetes, admission plugin ServiceAccount).
///
/// Upstream mounts it unless somebody says no. Here nobody gets what nobody asked for: the pod has to say
/// `automountServiceAccountToken: true`, or its account if the pod says nothing. With the token comes the way to the API.
struct ServiceAccountAdmission {
  let objects: any ObjectReading

  static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
  /// What upstream asks for: an hour, and a little that tells these tokens from others.
  private static let tokenSeconds: JSONValue = 3607

  /// - Parameter suffix: makes the volume's name another one for each pod.
  /// - Throws: `APIStatus` 403 if the pod wants the token of an account that is not there.
  func mountToken(in pod: inout KubernetesObject, suffix: String) throws(APIStatus) {
    let name = pod.serviceAccountOfPod
    let own = pod.spec["automountServiceAccountToken"].bool
    if own == false { return }
    let account = objects.object(of: .serviceAccounts, namespace: pod.namespace, name: name)
    guard own ?? account?["automountServiceAccountToken"].bool ?? false else { return }
    guard account != nil else {
      throw .forbidden(
        .pods, pod.name,
        "error looking up service account \(pod.namespace)/\(name): serviceaccount \"\(name)\" not found, "
          + "retry after the service account is created")
    }
    let volume = "kube-api-access-\(suffix)"
    var isMounted = false
    pod.json.updateMember("spec") { spec in
      for key in ["initContainers", "containers"] {
        spec.updateElements(key) { container in
          guard case .object = container, !Self.mountsSomething(container) else { return }
          isMounted = true
          let mount: JSONValue = ["name": .string(volume), "readOnly": true, "mountPath": .string(Self.mountPath)]
          container["volumeMounts"] = .array(container["volumeMounts"].elements + [mount])
        }
      }
      guard isMounted else { return }
      spec["volumes"] = .array(spec["volumes"].elements + [Self.volume(volume)])
      // Whose token it is must not change with what the name stands for.
      spec["serviceAccountName"] = .string(name)
      spec["serviceAccount"] = .string(name)
    }
  }

  /// Who mounts something there knows what they want there.
  private static func mountsSomething(_ container: JSONValue) -> Bool {
    container["volumeMounts"].elements.contains { $0["mountPath"].string == mountPath }
  }

  private static func volume(_ name: String) -> JSONValue {
    [
      "name": .string(name),
      "projected": [
        "defaultMode": 0o644,
        "sources": [
          ["serviceAccountToken": ["path": "token", "expirationSeconds": tokenSeconds]],
          ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
          [
            "downwardAPI": [
              "items": [
                ["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]
              ]
            ]
          ],
        ],
      ],
    ]
  }
}
