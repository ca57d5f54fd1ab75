extension SchemaTable {
  static let coreContainer = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Container | One container of a pod.
    name! string | The container's name, a DNS label, unique in the pod.
    image string | The image to run.
    command []string | The program and its first arguments, instead of the image's entrypoint.
    args []string | Arguments, instead of the image's.
    workingDir string | Where the program starts; the image's if empty.
    ports []ContainerPort@containerPort,protocol | Ports the container listens on; for information and for names.
    envFrom []EnvFromSource | Config maps and secrets whose every key becomes a variable.
    env []EnvVar@name | Environment variables.
    resources ResourceRequirements | How much the container needs and how much it may use.
    resizePolicy []ContainerResizePolicy | What a change of resources does to the running container.
    restartPolicy string | Always makes an init container a sidecar.
    restartPolicyRules []ContainerRestartRule | When to restart, by exit code.
    volumeMounts []VolumeMount@mountPath | Where the pod's volumes appear.
    volumeDevices []VolumeDevice@devicePath | Where raw block volumes appear.
    livenessProbe Probe | Restarts the container when it fails.
    readinessProbe Probe | Keeps the container from traffic while it fails.
    startupProbe Probe | Holds back the other probes until it has succeeded once.
    lifecycle Lifecycle | What to do after the start and before the end.
    terminationMessagePath string | The file from which the last words of the container are read.
    terminationMessagePolicy string | File, or FallbackToLogsOnError.
    imagePullPolicy string | Always, IfNotPresent or Never.
    securityContext SecurityContext | Who the container runs as, and what it may do.
    stdin bool | Keep a buffer for standard input.
    stdinOnce bool | Close standard input after the first attach.
    tty bool | Allocate a terminal.
    # EphemeralContainer | A container put into a running pod, for looking around.
    name! string | The container's name, unique in the pod.
    image string | The image to run.
    command []string | The program and its first arguments, instead of the image's entrypoint.
    args []string | Arguments, instead of the image's.
    workingDir string | Where the program starts.
    ports []ContainerPort@containerPort,protocol | Not allowed here.
    envFrom []EnvFromSource | Config maps and secrets whose every key becomes a variable.
    env []EnvVar@name | Environment variables.
    resources ResourceRequirements | Not allowed here.
    resizePolicy []ContainerResizePolicy | Not allowed here.
    restartPolicy string | Not allowed here.
    restartPolicyRules []ContainerRestartRule | Not allowed here.
    volumeMounts []VolumeMount@mountPath | Where the pod's volumes appear.
    volumeDevices []VolumeDevice@devicePath | Where raw block volumes appear.
    livenessProbe Probe | Not allowed here.
    readinessProbe Probe | Not allowed here.
    startupProbe Probe | Not allowed here.
    lifecycle Lifecycle | Not allowed here.
    terminationMessagePath string | The file from which the last words of the container are read.
    terminationMessagePolicy string | File, or FallbackToLogsOnError.
    imagePullPolicy string | Always, IfNotPresent or Never.
    securityContext SecurityContext | Who the container runs as, and what it may do.
    stdin bool | Keep a buffer for standard input.
    stdinOnce bool | Close standard input after the first attach.
    tty bool | Allocate a terminal.
    targetContainerName string | The container whose processes it sees.
    # ContainerPort | A port of a container.
    name string | A name that services and probes may use.
    hostPort int | The same port of the node.
    containerPort! int | The port, 1 to 65535.
    protocol string | TCP (default), UDP or SCTP.
    hostIP string | The node's address for hostPort.
    # ContainerResizePolicy | What a change of one resource does.
    resourceName! string | cpu or memory.
    restartPolicy! string | NotRequired or RestartContainer.
    # ContainerRestartRule | When to restart.
    action! string | Restart.
    exitCodes ContainerRestartRuleOnExitCodes | The exit codes it is for.
    # ContainerRestartRuleOnExitCodes | Exit codes.
    operator! string | In or NotIn.
    values []int | The codes.
    # EnvVar | An environment variable.
    name! string | The variable's name.
    value string | Its value; $(NAME) stands for an earlier variable.
    valueFrom EnvVarSource | Where the value comes from, instead of value.
    # EnvVarSource | Where a variable's value comes from; exactly one.
    fieldRef ObjectFieldSelector | A field of the pod.
    resourceFieldRef ResourceFieldSelector | A resource of a container.
    configMapKeyRef ConfigMapKeySelector | A key of a config map.
    secretKeyRef SecretKeySelector | A key of a secret.
    fileKeyRef FileKeySelector | A key of a file in a volume.
    # ObjectFieldSelector | A field of the pod.
    apiVersion string | The version of the field's path; v1.
    fieldPath! string | metadata.name, spec.nodeName, status.podIP and so on.
    # ResourceFieldSelector | A resource of a container.
    containerName string | The container; required in volumes.
    resource! string | limits.cpu, requests.memory and so on.
    divisor quantity | The unit of the value; 1 by default.
    # ConfigMapKeySelector | A key of a config map.
    name string | The config map.
    key! string | The key.
    optional bool | The config map or the key may be missing.
    # SecretKeySelector | A key of a secret.
    name string | The secret.
    key! string | The key.
    optional bool | The secret or the key may be missing.
    # FileKeySelector | A key of a file of variables.
    volumeName! string | The volume with the file.
    path! string | The file within the volume.
    key! string | The key.
    optional bool | The file or the key may be missing.
    # EnvFromSource | A set of variables.
    prefix string | Put before every name.
    configMapRef ConfigMapEnvSource | From a config map.
    secretRef SecretEnvSource | From a secret.
    # ConfigMapEnvSource | A config map whose keys become variables.
    name string | The config map.
    optional bool | It may be missing.
    # SecretEnvSource | A secret whose keys become variables.
    name string | The secret.
    optional bool | It may be missing.
    # ResourceRequirements | What a container needs and may use.
    limits {}quantity | The most it may use.
    requests {}quantity | What it is promised; the limits if left out.
    claims []ResourceClaim | Claims of devices, by their names in the pod.
    # ResourceClaim | A claim of the pod that a container uses.
    name! string | The claim's name in spec.resourceClaims.
    request string | One request of the claim; all if empty.
    # VolumeMount | A volume within a container.
    name! string | The volume's name in spec.volumes.
    readOnly bool | No writing.
    recursiveReadOnly string | Disabled, IfPossible or Enabled: whether mounts below are read-only too.
    mountPath! string | Where the volume appears.
    subPath string | A directory within the volume, instead of its root.
    mountPropagation string | None, HostToContainer or Bidirectional.
    subPathExpr string | As subPath, with $(VARIABLES).
    # VolumeDevice | A raw block volume within a container.
    name! string | The claim's name in spec.volumes.
    devicePath! string | Where the device appears.
    # Probe | A test of a container.
    exec ExecAction | Runs a command; 0 is success.
    httpGet HTTPGetAction | Asks by http; 200 to 399 is success.
    tcpSocket TCPSocketAction | Opens a connection.
    grpc GRPCAction | Asks the gRPC health service.
    initialDelaySeconds int | Seconds from the start to the first test.
    timeoutSeconds int | Seconds a test may take; 1.
    periodSeconds int | Seconds between tests; 10.
    successThreshold int | Successes in a row that make it good; 1.
    failureThreshold int | Failures in a row that make it bad; 3.
    terminationGracePeriodSeconds int64 | The grace period after this probe failed, instead of the pod's.
    # Lifecycle | What to do at the ends of a container's life.
    postStart LifecycleHandler | Right after the start.
    preStop LifecycleHandler | Before it is told to end.
    stopSignal string | The signal that tells it to end.
    # LifecycleHandler | One thing to do.
    exec ExecAction | Runs a command in the container.
    httpGet HTTPGetAction | Asks by http.
    tcpSocket TCPSocketAction | No longer used.
    sleep SleepAction | Waits.
    # ExecAction | A command in the container.
    command []string | The command and its arguments; no shell.
    # HTTPGetAction | A request.
    path string | The path.
    port! intstr | The port's number or name.
    host string | The host; the pod's address if empty.
    scheme string | HTTP or HTTPS.
    httpHeaders []HTTPHeader | Further headers.
    # HTTPHeader | A header.
    name! string | Its name.
    value! string | Its value.
    # TCPSocketAction | A connection.
    port! intstr | The port's number or name.
    host string | The host; the pod's address if empty.
    # GRPCAction | A call of the health service.
    port! int | The port's number.
    service string | The service to ask about.
    # SleepAction | A pause.
    seconds! int64 | How long.
    # SecurityContext | Who a container runs as, and what it may do.
    capabilities Capabilities | Capabilities to add and to drop.
    privileged bool | As root on the node.
    seLinuxOptions SELinuxOptions | The SELinux label.
    windowsOptions WindowsSecurityContextOptions | For Windows.
    runAsUser int64 | The user's number.
    runAsGroup int64 | The group's number.
    runAsNonRoot bool | Refuse to run as root.
    readOnlyRootFilesystem bool | The image's files cannot be changed.
    allowPrivilegeEscalation bool | A process may gain more than its parent has.
    procMount string | Default or Unmasked.
    seccompProfile SeccompProfile | Which system calls are allowed.
    appArmorProfile AppArmorProfile | The AppArmor profile.
    # Capabilities | Linux capabilities.
    add []string | To add.
    drop []string | To drop; ALL drops all.
    # SELinuxOptions | An SELinux label.
    user string | The user part.
    role string | The role part.
    type string | The type part.
    level string | The level part.
    # WindowsSecurityContextOptions | For Windows.
    gmsaCredentialSpecName string | The GMSA credential spec's name.
    gmsaCredentialSpec string | The GMSA credential spec.
    runAsUserName string | The user's name.
    hostProcess bool | Runs as a process of the host.
    # SeccompProfile | Which system calls are allowed.
    type! string | RuntimeDefault, Unconfined or Localhost.
    localhostProfile string | A profile on the node.
    # AppArmorProfile | An AppArmor profile.
    type! string | RuntimeDefault, Unconfined or Localhost.
    localhostProfile string | A profile on the node.
    """)
}
