extension SchemaTable {
  static let coreContainer = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Container | One container of a pod.
    name! string 1 | The container's name, a DNS label, unique in the pod.
    image string 2 | The image to run.
    command []string 3 | The program and its first arguments, instead of the image's entrypoint.
    args []string 4 | Arguments, instead of the image's.
    workingDir string 5 | Where the program starts; the image's if empty.
    ports []ContainerPort@containerPort,protocol 6 | Ports the container listens on; for information and for names.
    envFrom []EnvFromSource 19 | Config maps and secrets whose every key becomes a variable.
    env []EnvVar@name 7 | Environment variables.
    resources ResourceRequirements 8 | How much the container needs and how much it may use.
    resizePolicy []ContainerResizePolicy 23 | What a change of resources does to the running container.
    restartPolicy string *24 | Always makes an init container a sidecar.
    restartPolicyRules []ContainerRestartRule 25 | When to restart, by exit code.
    volumeMounts []VolumeMount@mountPath 9 | Where the pod's volumes appear.
    volumeDevices []VolumeDevice@devicePath 21 | Where raw block volumes appear.
    livenessProbe Probe *10 | Restarts the container when it fails.
    readinessProbe Probe *11 | Keeps the container from traffic while it fails.
    startupProbe Probe *22 | Holds back the other probes until it has succeeded once.
    lifecycle Lifecycle *12 | What to do after the start and before the end.
    terminationMessagePath string 13 | The file from which the last words of the container are read.
    terminationMessagePolicy string 20 | File, or FallbackToLogsOnError.
    imagePullPolicy string 14 | Always, IfNotPresent or Never.
    securityContext SecurityContext *15 | Who the container runs as, and what it may do.
    stdin bool 16 | Keep a buffer for standard input.
    stdinOnce bool 17 | Close standard input after the first attach.
    tty bool 18 | Allocate a terminal.
    # EphemeralContainer | A container put into a running pod, for looking around.
    name! string 1.1 | The container's name, unique in the pod.
    image string 1.2 | The image to run.
    command []string 1.3 | The program and its first arguments, instead of the image's entrypoint.
    args []string 1.4 | Arguments, instead of the image's.
    workingDir string 1.5 | Where the program starts.
    ports []ContainerPort@containerPort,protocol 1.6 | Not allowed here.
    envFrom []EnvFromSource 1.19 | Config maps and secrets whose every key becomes a variable.
    env []EnvVar@name 1.7 | Environment variables.
    resources ResourceRequirements 1.8 | Not allowed here.
    resizePolicy []ContainerResizePolicy 1.23 | Not allowed here.
    restartPolicy string *1.24 | Not allowed here.
    restartPolicyRules []ContainerRestartRule 1.25 | Not allowed here.
    volumeMounts []VolumeMount@mountPath 1.9 | Where the pod's volumes appear.
    volumeDevices []VolumeDevice@devicePath 1.21 | Where raw block volumes appear.
    livenessProbe Probe *1.10 | Not allowed here.
    readinessProbe Probe *1.11 | Not allowed here.
    startupProbe Probe *1.22 | Not allowed here.
    lifecycle Lifecycle *1.12 | Not allowed here.
    terminationMessagePath string 1.13 | The file from which the last words of the container are read.
    terminationMessagePolicy string 1.20 | File, or FallbackToLogsOnError.
    imagePullPolicy string 1.14 | Always, IfNotPresent or Never.
    securityContext SecurityContext *1.15 | Who the container runs as, and what it may do.
    stdin bool 1.16 | Keep a buffer for standard input.
    stdinOnce bool 1.17 | Close standard input after the first attach.
    tty bool 1.18 | Allocate a terminal.
    targetContainerName string 2 | The container whose processes it sees.
    # ContainerPort | A port of a container.
    name string 1 | A name that services and probes may use.
    hostPort int(0..65535) 2 | The same port of the node.
    containerPort! int(1..65535) 3 | The port, 1 to 65535.
    protocol string 4 | TCP (default), UDP or SCTP.
    hostIP string 5 | The node's address for hostPort.
    # ContainerResizePolicy | What a change of one resource does.
    resourceName! string 1 | cpu or memory.
    restartPolicy! string 2 | NotRequired or RestartContainer.
    # ContainerRestartRule | When to restart.
    action! string 1 | Restart.
    exitCodes ContainerRestartRuleOnExitCodes *2 | The exit codes it is for.
    # ContainerRestartRuleOnExitCodes | Exit codes.
    operator! string 1 | In or NotIn.
    values []int 2 | The codes.
    # EnvVar | An environment variable.
    name! string 1 | The variable's name.
    value string 2 | Its value; $(NAME) stands for an earlier variable.
    valueFrom EnvVarSource *3 | Where the value comes from, instead of value.
    # EnvVarSource | Where a variable's value comes from; exactly one.
    fieldRef ObjectFieldSelector *1 | A field of the pod.
    resourceFieldRef ResourceFieldSelector *2 | A resource of a container.
    configMapKeyRef ConfigMapKeySelector *3 | A key of a config map.
    secretKeyRef SecretKeySelector *4 | A key of a secret.
    fileKeyRef FileKeySelector *5 | A key of a file in a volume.
    # ObjectFieldSelector | A field of the pod.
    apiVersion string 1 | The version of the field's path; v1.
    fieldPath! string 2 | metadata.name, spec.nodeName, status.podIP and so on.
    # ResourceFieldSelector | A resource of a container.
    containerName string 1 | The container; required in volumes.
    resource! string 2 | limits.cpu, requests.memory and so on.
    divisor quantity 3 | The unit of the value; 1 by default.
    # ConfigMapKeySelector | A key of a config map.
    name string 1.1 | The config map.
    key! string 2 | The key.
    optional bool *3 | The config map or the key may be missing.
    # SecretKeySelector | A key of a secret.
    name string 1.1 | The secret.
    key! string 2 | The key.
    optional bool *3 | The secret or the key may be missing.
    # FileKeySelector | A key of a file of variables.
    volumeName! string 1 | The volume with the file.
    path! string 2 | The file within the volume.
    key! string 3 | The key.
    optional bool *4 | The file or the key may be missing.
    # EnvFromSource | A set of variables.
    prefix string 1 | Put before every name.
    configMapRef ConfigMapEnvSource *2 | From a config map.
    secretRef SecretEnvSource *3 | From a secret.
    # ConfigMapEnvSource | A config map whose keys become variables.
    name string 1.1 | The config map.
    optional bool *2 | It may be missing.
    # SecretEnvSource | A secret whose keys become variables.
    name string 1.1 | The secret.
    optional bool *2 | It may be missing.
    # ResourceRequirements | What a container needs and may use.
    limits {}quantity 1 | The most it may use.
    requests {}quantity 2 | What it is promised; the limits if left out.
    claims []ResourceClaim 3 | Claims of devices, by their names in the pod.
    # ResourceClaim | A claim of the pod that a container uses.
    name! string 1 | The claim's name in spec.resourceClaims.
    request string 2 | One request of the claim; all if empty.
    # VolumeMount | A volume within a container.
    name! string 1 | The volume's name in spec.volumes.
    readOnly bool 2 | No writing.
    recursiveReadOnly string *7 | Disabled, IfPossible or Enabled: whether mounts below are read-only too.
    mountPath! string 3 | Where the volume appears.
    subPath string 4 | A directory within the volume, instead of its root.
    mountPropagation string *5 | None, HostToContainer or Bidirectional.
    subPathExpr string 6 | As subPath, with $(VARIABLES).
    # VolumeDevice | A raw block volume within a container.
    name! string 1 | The claim's name in spec.volumes.
    devicePath! string 2 | Where the device appears.
    # Probe | A test of a container.
    exec ExecAction *1.1 | Runs a command; 0 is success.
    httpGet HTTPGetAction *1.2 | Asks by http; 200 to 399 is success.
    tcpSocket TCPSocketAction *1.3 | Opens a connection.
    grpc GRPCAction *1.4 | Asks the gRPC health service.
    initialDelaySeconds int(0..) 2 | Seconds from the start to the first test.
    timeoutSeconds int(0..) 3 | Seconds a test may take; 1.
    periodSeconds int(0..) 4 | Seconds between tests; 10.
    successThreshold int(0..) 5 | Successes in a row that make it good; 1.
    failureThreshold int(0..) 6 | Failures in a row that make it bad; 3.
    terminationGracePeriodSeconds int64(1..) *7 | The grace period after this probe failed, instead of the pod's.
    # Lifecycle | What to do at the ends of a container's life.
    postStart LifecycleHandler *1 | Right after the start.
    preStop LifecycleHandler *2 | Before it is told to end.
    stopSignal string *3 | The signal that tells it to end.
    # LifecycleHandler | One thing to do.
    exec ExecAction *1 | Runs a command in the container.
    httpGet HTTPGetAction *2 | Asks by http.
    tcpSocket TCPSocketAction *3 | No longer used.
    sleep SleepAction *4 | Waits.
    # ExecAction | A command in the container.
    command []string 1 | The command and its arguments; no shell.
    # HTTPGetAction | A request.
    path string 1 | The path.
    port! intstr(1..65535) 2 | The port's number or name.
    host string 3 | The host; the pod's address if empty.
    scheme string 4 | HTTP or HTTPS.
    httpHeaders []HTTPHeader 5 | Further headers.
    # HTTPHeader | A header.
    name! string 1 | Its name.
    value! string 2 | Its value.
    # TCPSocketAction | A connection.
    port! intstr(1..65535) 1 | The port's number or name.
    host string 2 | The host; the pod's address if empty.
    # GRPCAction | A call of the health service.
    port! int(1..65535) 1 | The port's number.
    service string *2 | The service to ask about.
    # SleepAction | A pause.
    seconds! int64(0..) 1 | How long.
    # SecurityContext | Who a container runs as, and what it may do.
    capabilities Capabilities *1 | Capabilities to add and to drop.
    privileged bool *2 | As root on the node.
    seLinuxOptions SELinuxOptions *3 | The SELinux label.
    windowsOptions WindowsSecurityContextOptions *10 | For Windows.
    runAsUser int64(0..2147483647) *4 | The user's number.
    runAsGroup int64(0..2147483647) *8 | The group's number.
    runAsNonRoot bool *5 | Refuse to run as root.
    readOnlyRootFilesystem bool *6 | The image's files cannot be changed.
    allowPrivilegeEscalation bool *7 | A process may gain more than its parent has.
    procMount string *9 | Default or Unmasked.
    seccompProfile SeccompProfile *11 | Which system calls are allowed.
    appArmorProfile AppArmorProfile *12 | The AppArmor profile.
    # Capabilities | Linux capabilities.
    add []string 1 | To add.
    drop []string 2 | To drop; ALL drops all.
    # SELinuxOptions | An SELinux label.
    user string 1 | The user part.
    role string 2 | The role part.
    type string 3 | The type part.
    level string 4 | The level part.
    # WindowsSecurityContextOptions | For Windows.
    gmsaCredentialSpecName string *1 | The GMSA credential spec's name.
    gmsaCredentialSpec string *2 | The GMSA credential spec.
    runAsUserName string *3 | The user's name.
    hostProcess bool *4 | Runs as a process of the host.
    # SeccompProfile | Which system calls are allowed.
    type! string 1 | RuntimeDefault, Unconfined or Localhost.
    localhostProfile string *2 | A profile on the node.
    # AppArmorProfile | An AppArmor profile.
    type! string 1 | RuntimeDefault, Unconfined or Localhost.
    localhostProfile string *2 | A profile on the node.
    """)
}
