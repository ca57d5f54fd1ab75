import JSONDocument
import KubernetesAPI
import Testing

@testable import nagaya

@Suite struct OutputTests {
  static let table: JSONValue = [
    "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": ["resourceVersion": "7"],
    "columnDefinitions": [
      ["name": "Name", "type": "string", "priority": 0], ["name": "Endpoint", "type": "string", "priority": 0],
      ["name": "Ready", "type": "string", "priority": 0], ["name": "Reason", "type": "string", "priority": 0],
      ["name": "Age", "type": "string", "priority": 0], ["name": "Image", "type": "string", "priority": 1],
    ],
    "rows": [
      [
        "cells": ["hello", "https://hello.dev.demo.localhost:8443", "True", "", "2s", "nagaya.local/hello:1"],
        "object": ["metadata": ["name": "hello", "namespace": "demo-dev"]],
      ],
      [
        "cells": ["web", nil, "False", "CrashLoop", 5, "r/web"],
        "object": ["metadata": ["name": "web", "namespace": "demo-prod"]],
      ],
    ],
  ]

  @Test func `a table is aligned as kubectl aligns it`() throws {
    let table = try #require(ResourceTable(json: Self.table))
    #expect(
      TableText.text(table.lines(wide: false, withNamespace: false)) == """
        NAME    ENDPOINT                                READY   REASON      AGE
        hello   https://hello.dev.demo.localhost:8443   True                2s
        web                                             False   CrashLoop   5

        """)
  }

  @Test func `wide shows more columns and many namespaces show theirs`() throws {
    let table = try #require(ResourceTable(json: Self.table))
    #expect(
      TableText.text(table.lines(wide: true, withNamespace: true)) == """
        NAMESPACE   NAME    ENDPOINT                                READY   REASON      AGE   IMAGE
        demo-dev    hello   https://hello.dev.demo.localhost:8443   True                2s    nagaya.local/hello:1
        demo-prod   web                                             False   CrashLoop   5     r/web

        """)
  }

  @Test func `rows that follow stay under the same head`() {
    var text = TableText()
    #expect(text.lines([["NAME", "AGE"], ["long-name", "1s"]]) == ["NAME        AGE", "long-name   1s"])
    #expect(text.lines([["a", "2s"]]) == ["a           2s"])
  }

  @Test func `objects cannot steer the terminal`() {
    #expect(TableText.text([["a\u{1B}[31mb\nc\u{9B}d", "x"]]) == "a [31mb c d   x\n")
  }

  @Test func `one object and many are printed alike by every format`() throws {
    let object = KubernetesObject(.applications, namespace: "demo", name: "hello")
    let one = { try ListOutput.text([object], of: .applications, as: $0, isList: false) }
    let many = { try ListOutput.text([object], of: .applications, as: $0, isList: true) }
    #expect(try one(.name) == "application.nagaya.dev/hello\n")
    #expect(try ListOutput.text([object], of: .pods, as: .name, isList: true) == "pod/hello\n")
    #expect(
      try one(.yaml) == """
        apiVersion: nagaya.dev/v1alpha1
        kind: Application
        metadata:
          name: hello
          namespace: demo

        """)
    #expect(try JSONValue(parsing: one(.json)) == object.json)
    let list = try JSONValue(parsing: many(.json))
    #expect(list["kind"] == "List")
    #expect(list["items"].elements == [object.json])
    #expect(try YAML.parseAll(many(.yaml)) == [list])
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (385_815, "376.7 KiB"), (5 << 30, "5 GiB"),
  ])
  func `bytes are for people`(_ bytes: Int, _ text: String) { #expect(ByteCount.text(Int64(bytes)) == text) }

  @Test func `an app's description holds everything about it`() {
    let now = Timestamp(seconds: 1_800_000_000)
    func object(_ resource: Resource, _ name: String, uid: String, secondsOld: Int64 = 60) -> KubernetesObject {
      var object = KubernetesObject(resource, namespace: "demo-dev", name: name)
      object.metadata["uid"] = .string(uid)
      object.metadata["creationTimestamp"] = .string(Timestamp(seconds: now.seconds - secondsOld).description)
      return object
    }
    var app = object(.applications, "hello", uid: "1")
    app.spec = [
      "image": "i:1", "port": 80, "replicas": 2, "env": [["name": "TOKEN", "value": "secret"]],
      "volumes": [["name": "data", "mountPath": "/data", "size": "1Gi"]],
      "resources": ["limits": ["memory": "1Gi", "cpu": "1"]],
    ]
    app.status = [
      "endpoint": "https://e", "readyReplicas": 1, "updatedReplicas": 2,
      "conditions": [["type": "Ready", "status": "False", "reason": "CrashLoop", "message": "exit code 3"]],
    ]
    var pod = object(.pods, "hello-abc12-x1y2z", uid: "2")
    pod.spec = ["nodeName": "n1", "containers": [["name": "app"]]]
    pod.status = [
      "phase": "Running",
      "containerStatuses": [
        ["ready": false, "restartCount": 4, "state": ["waiting": ["reason": "CrashLoopBackOff"]]]
      ],
    ]
    var claim = object(.persistentVolumeClaims, "hello-data", uid: "3")
    claim.status = ["phase": "Bound", "capacity": ["storage": "1Gi"]]
    func event(_ kind: String, _ name: String, _ uid: String, _ message: String, _ count: Int, _ ago: Int64)
      -> KubernetesObject
    {
      var event = object(.events, "e", uid: "e")
      event["involvedObject"] = ["kind": .string(kind), "name": .string(name), "uid": .string(uid)]
      event["type"] = "Warning"
      event["reason"] = "BackOff"
      event["message"] = .string(message)
      event["count"] = JSONValue(count)
      event["lastTimestamp"] = .string(Timestamp(seconds: now.seconds - ago).description)
      return event
    }
    let events = [
      event("Pod", pod.name, "2", "restarting", 4, 5), event("ReplicaSet", "hello-abc12", "9", "made", 1, 50),
      event("Pod", "hello-world-abc12-x1y2z", "8", "another app's", 1, 1),
    ]
    let text = AppDescription(app: app, pods: [pod], claims: [claim], events: events, now: now).text
    #expect(
      text == """
        Name:          hello
        Namespace:     demo-dev
        Endpoint:      https://e
        Ready:         False  CrashLoop: exit code 3
        Image:         i:1
        Port:          80
        Replicas:      2 wanted, 1 ready, 2 of the newest version
        Limits:        cpu 1, memory 1Gi
        Environment:   TOKEN
        Created:       2027-01-15T07:59:00Z (60s ago)

        Conditions:
          TYPE    STATUS   REASON      MESSAGE
          Ready   False    CrashLoop   exit code 3

        Pods:
          NAME                READY   STATUS             RESTARTS   NODE   AGE
          hello-abc12-x1y2z   0/1     CrashLoopBackOff   4          n1     60s

        Volumes:
          NAME   MOUNTED AT   SIZE   STATE   CLAIM        AGE
          data   /data        1Gi    Bound   hello-data   60s

        Events:
          AGE       TYPE      REASON    OBJECT                   MESSAGE
          50s       Warning   BackOff   replicaset/hello-abc12   made
          5s (x4)   Warning   BackOff   pod/hello-abc12-x1y2z    restarting

        Next step:
          see what it said before it ended: nagaya logs app hello -n demo-dev --previous

        """)
  }
}
