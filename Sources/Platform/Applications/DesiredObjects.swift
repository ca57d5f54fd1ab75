import JSONDocument
import KubernetesAPI

/// What an Application becomes.
///
/// A null means that the member must be absent: that is how a command, a limit or the value of a variable goes away
/// again, while members that the server or others add (defaults, restart annotations) stay.
public struct DesiredObjects: Sendable, Hashable {
  public var deployment: KubernetesObject
  public var service: KubernetesObject
  /// By the name of the volume, in the order of the Application.
  public var claims: [KubernetesObject]

  /// Computes the objects; nothing else is looked at.
  /// - Parameter isRestricted: the namespace wants pods that give up root and all capabilities.
  public init(for application: Application, isRestricted: Bool = false) {
    service = Self.service(of: application)
    deployment = Self.deployment(of: application)
    if isRestricted {
      deployment.spec["template"]["spec"]["securityContext"] = Self.restrictedPod
      if case .array(var containers) = deployment.spec["template"]["spec"]["containers"] {
        for index in containers.indices { containers[index]["securityContext"] = Self.restrictedContainer }
        deployment.spec["template"]["spec"]["containers"] = .array(containers)
      }
    }
    claims = application.volumes.map { Self.claim(of: application, $0) }
  }

  /// Pod Security Standards, level restricted.
  private static let restrictedPod: JSONValue = [
    "runAsNonRoot": true, "seccompProfile": ["type": "RuntimeDefault"],
  ]
  private static let restrictedContainer: JSONValue = [
    "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
  ]

  private static func object(_ resource: Resource, _ application: Application, name: String) -> KubernetesObject {
    var object = KubernetesObject(
      resource, namespace: application.namespace, name: name, labels: [Application.nameLabel: application.name])
    object.ownerReferences = [OwnerReference(to: application.object)]
    return object
  }

  private static func service(of application: Application) -> KubernetesObject {
    var service = object(.services, application, name: application.name)
    service.spec = [
      // Named so that a change of it is undone: the edge and other apps would lose their way.
      "type": "ClusterIP",
      "externalName": nil,
      "selector": .strings([Application.nameLabel: application.name]),
      // By name: each pod has the number of its own revision, so that a change of the port loses no request.
      "ports": [["name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"]],
    ]
    return service
  }

  private static func claim(of application: Application, _ volume: Application.Volume) -> KubernetesObject {
    var claim = object(.persistentVolumeClaims, application, name: application.claimName(volume.name))
    claim.labels[Application.volumeLabel] = volume.name
    if application.volumeRetention == .retain { claim.ownerReferences = [] }
    claim.spec = [
      "accessModes": ["ReadWriteOnce"],
      "resources": ["requests": ["storage": .string(volume.size)]],
    ]
    claim.spec.set("storageClassName", ifPresent: volume.storageClassName.map { .string($0) })
    return claim
  }

  private static func deployment(of application: Application) -> KubernetesObject {
    var deployment = object(.deployments, application, name: application.name)
    let labels: JSONValue = .strings([Application.nameLabel: application.name])
    let volumes = application.volumes
    deployment.spec = [
      "replicas": JSONValue(application.replicas),
      "selector": ["matchLabels": labels],
      // Old and new pods must not write one volume at a time; without volumes no request may be lost.
      "strategy": volumes.isEmpty
        ? ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 0, "maxSurge": "25%"]]
        : ["type": "Recreate", "rollingUpdate": nil],
      "template": [
        "metadata": ["labels": labels],
        "spec": [
          "containers": [container(of: application)],
          "volumes": list(
            .array(
              volumes.map {
                [
                  "name": .string($0.name),
                  "persistentVolumeClaim": ["claimName": .string(application.claimName($0.name))],
                ]
              } + application.imageVolumes.map(Self.volume))),
          // An app has no business with the API, and needs no variable for every service of its namespace.
          "automountServiceAccountToken": false,
          "enableServiceLinks": false,
        ],
      ],
    ]
    return deployment
  }

  private static func container(of application: Application) -> JSONValue {
    let spec = application.object.spec
    var probe: JSONValue = ["periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3, "successThreshold": 1]
    let port = JSONValue(application.port)
    if let path = application.readinessPath {
      probe["httpGet"] = ["path": .string(path), "port": port]
      probe["tcpSocket"] = nil
    } else {
      probe["tcpSocket"] = ["port": port]
      probe["httpGet"] = nil
    }
    return [
      "name": "app",
      "image": .string(application.image),
      "command": list(spec["command"]),
      "args": list(spec["args"]),
      "env": .array(environment(of: application)),
      "ports": [["name": "http", "containerPort": port, "protocol": "TCP"]],
      "resources": resources(spec["resources"]),
      "readinessProbe": probe,
      "volumeMounts": list(
        .array(
          application.volumes.map { ["name": .string($0.name), "mountPath": .string($0.mountPath)] }
            + application.imageVolumes.map(Self.mount))),
    ]
  }

  private static func volume(_ volume: Application.ImageVolume) -> JSONValue {
    var source: JSONValue = ["reference": .string(volume.image)]
    source.set("pullPolicy", ifPresent: volume.pullPolicy.map { .string($0) })
    return ["name": .string(volume.name), "image": source]
  }

  private static func mount(_ volume: Application.ImageVolume) -> JSONValue {
    var mount: JSONValue = [
      "name": .string(volume.name), "mountPath": .string(volume.mountPath), "readOnly": true,
    ]
    mount.set("subPath", ifPresent: volume.subPath.map { .string($0) })
    return mount
  }

  /// An empty list is left out: clients in Go do not write it, and a template must be the same after `rollout undo`.
  private static func list(_ value: JSONValue) -> JSONValue { value.elements.isEmpty ? nil : value }

  /// The platform's variables come first, so that the user's may refer to them; their names can't be taken.
  private static func environment(of application: Application) -> [JSONValue] {
    let own = ["NAGAYA_APP": application.name, "NAGAYA_NAMESPACE": application.namespace]
    let injected = own.sorted { $0.key < $1.key }.map { name, value -> JSONValue in
      ["name": .string(name), "value": .string(value), "valueFrom": nil]
    }
    let sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"]
    return injected
      + application.object.spec["env"].elements.compactMap { variable in
        guard let name = variable["name"].string, own[name] == nil else { return nil }
        var result = variable
        for absent in ["value", "valueFrom"] where variable[absent].isNull { result[absent] = nil }
        if !variable["valueFrom"].isNull {
          for source in sources where variable["valueFrom"][source].isNull { result["valueFrom"][source] = nil }
        }
        return result
      }
  }

  private static func resources(_ value: JSONValue) -> JSONValue {
    var result: JSONValue = [:]
    for side in ["limits", "requests"] {
      let amounts = value[side].members
      guard !amounts.isEmpty else {
        result[side] = nil
        continue
      }
      result[side] = .object(amounts)
      for name in ["cpu", "memory", "ephemeral-storage"] where amounts[name] == nil { result[side][name] = nil }
    }
    return result
  }
}
