import JSONDocument

extension PodSecurity {
  /// What pods of tenants may not ask for: the profile "baseline" of the Kubernetes Pod Security Standards, then what
  /// this platform adds to it.
  static let rules: [Rule] = baseline + own

  private static let baseline: [Rule] = [
    Rule("pods of tenants may not be part of the node", ["hostIPC", "hostNetwork", "hostPID"], .unset),
    Rule(
      "pods of tenants may not be part of the node",
      ["securityContext.windowsOptions.hostProcess", "<containers>.securityContext.windowsOptions.hostProcess"],
      .unset),
    Rule("a privileged container is root on the node", ["<containers>.securityContext.privileged"], .unset),
    Rule("files of the node are not for tenants", ["volumes[*].hostPath"], .unset),
    Rule("ports of the node are not for tenants: make a Service", ["<containers>.ports[*].hostPort"], .unset),
    Rule(
      "further capabilities reach beyond the pod", ["<containers>.securityContext.capabilities.add[*]"],
      .oneOf([
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
      ])),
    Rule(
      "other system calls reach beyond the pod",
      ["securityContext.seccompProfile.type", "<containers>.securityContext.seccompProfile.type"],
      .oneOf(["Localhost", "RuntimeDefault"])),
    Rule(
      "the node's AppArmor profile must hold",
      ["securityContext.appArmorProfile.type", "<containers>.securityContext.appArmorProfile.type"],
      .oneOf(["Localhost", "RuntimeDefault"])),
    Rule(
      "other SELinux types reach beyond the pod",
      ["securityContext.seLinuxOptions.type", "<containers>.securityContext.seLinuxOptions.type"],
      .oneOf(["container_engine_t", "container_init_t", "container_kvm_t", "container_t"])),
    Rule(
      "SELinux users and roles are the node's to choose",
      [
        "securityContext.seLinuxOptions.role", "securityContext.seLinuxOptions.user",
        "<containers>.securityContext.seLinuxOptions.role", "<containers>.securityContext.seLinuxOptions.user",
      ], .unset),
    Rule("all of /proc reaches beyond the pod", ["<containers>.securityContext.procMount"], .oneOf(["Default"])),
    Rule(
      "other settings of the kernel reach beyond the pod", ["securityContext.sysctls[*].name"],
      .oneOf([
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
      ])),
    Rule(
      "probes and hooks run in the node's network, so they may ask the pod only",
      ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"].flatMap {
        ["<containers>.\($0).httpGet.host", "<containers>.\($0).tcpSocket.host"]
      }, .unset),
  ]

  private static let own: [Rule] = [
    Rule("the scheduler chooses the node; say what it must have in nodeSelector", ["nodeName"], .unset),
    Rule("these priorities are the platform's own", ["priorityClassName"], .notBeginning("system-")),
    // The highest priority that users' classes may have in Kubernetes (scheduling, HighestUserDefinablePriority).
    Rule("higher priorities are the platform's own", ["priority"], .atMost(1_000_000_000)),
  ]

  /// AppArmor profiles by annotation, as before Kubernetes 1.30: `<this><container name>`.
  static let appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"
}
