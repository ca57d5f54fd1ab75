extension SchemaTable {
  /// Volumes of pods, and the sources that persistent volumes share with them.
  static let coreVolume = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Volume | A volume of a pod: a name and exactly one source.
    name! string | The volume's name, unique in the pod.
    hostPath HostPathVolumeSource | A path of the node.
    emptyDir EmptyDirVolumeSource | An empty directory that goes with the pod.
    gcePersistentDisk GCEPersistentDiskVolumeSource | A Google disk.
    awsElasticBlockStore AWSElasticBlockStoreVolumeSource | An Amazon disk.
    gitRepo GitRepoVolumeSource | No longer served.
    secret SecretVolumeSource | The keys of a secret as files.
    nfs NFSVolumeSource | An NFS export.
    iscsi ISCSIVolumeSource | An iSCSI disk.
    glusterfs GlusterfsVolumeSource | A GlusterFS volume.
    persistentVolumeClaim PersistentVolumeClaimVolumeSource | The volume of a claim.
    rbd RBDVolumeSource | A Ceph disk.
    flexVolume FlexVolumeSource | No longer served.
    cinder CinderVolumeSource | An OpenStack disk.
    cephfs CephFSVolumeSource | A Ceph file system.
    flocker FlockerVolumeSource | A Flocker volume.
    downwardAPI DownwardAPIVolumeSource | Fields of the pod as files.
    fc FCVolumeSource | A Fibre Channel disk.
    azureFile AzureFileVolumeSource | An Azure share.
    configMap ConfigMapVolumeSource | The keys of a config map as files.
    vsphereVolume VsphereVirtualDiskVolumeSource | A vSphere disk.
    quobyte QuobyteVolumeSource | A Quobyte volume.
    azureDisk AzureDiskVolumeSource | An Azure disk.
    photonPersistentDisk PhotonPersistentDiskVolumeSource | A Photon disk.
    projected ProjectedVolumeSource | Several sources in one directory.
    portworxVolume PortworxVolumeSource | A Portworx volume.
    scaleIO ScaleIOVolumeSource | A ScaleIO volume.
    storageos StorageOSVolumeSource | A StorageOS volume.
    csi CSIVolumeSource | A volume that a CSI driver makes with the pod.
    ephemeral EphemeralVolumeSource | A claim that is made and goes with the pod.
    image ImageVolumeSource | The files of an image.
    # HostPathVolumeSource | A path of the node.
    path! string | The path.
    type string | What must be there: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice.
    # EmptyDirVolumeSource | An empty directory.
    medium string | Memory for tmpfs; the node's disk if empty.
    sizeLimit quantity | The most it may hold.
    # SecretVolumeSource | The keys of a secret as files.
    secretName string | The secret.
    items []KeyToPath | Only these keys, at these paths.
    defaultMode int | The files' permissions; 0644.
    optional bool | The secret may be missing.
    # ConfigMapVolumeSource | The keys of a config map as files.
    name string | The config map.
    items []KeyToPath | Only these keys, at these paths.
    defaultMode int | The files' permissions; 0644.
    optional bool | The config map may be missing.
    # KeyToPath | A key and its file.
    key! string | The key.
    path! string | The file's relative path.
    mode int | The file's permissions.
    # PersistentVolumeClaimVolumeSource | A claim's volume.
    claimName! string | The claim, of the same namespace.
    readOnly bool | No writing.
    # EphemeralVolumeSource | A claim that belongs to the pod.
    volumeClaimTemplate PersistentVolumeClaimTemplate | What the claim looks like.
    # PersistentVolumeClaimTemplate | What a claim looks like.
    metadata meta.ObjectMeta | Labels and annotations of the claim.
    spec! PersistentVolumeClaimSpec | The claim's spec.
    # DownwardAPIVolumeSource | Fields of the pod as files.
    items []DownwardAPIVolumeFile | The files.
    defaultMode int | The files' permissions; 0644.
    # DownwardAPIVolumeFile | A field and its file.
    path! string | The file's relative path.
    fieldRef ObjectFieldSelector | A field of the pod.
    resourceFieldRef ResourceFieldSelector | A resource of a container.
    mode int | The file's permissions.
    # ProjectedVolumeSource | Several sources in one directory.
    sources []VolumeProjection | The sources.
    defaultMode int | The files' permissions; 0644.
    # VolumeProjection | One source.
    secret SecretProjection | A secret.
    downwardAPI DownwardAPIProjection | Fields of the pod.
    configMap ConfigMapProjection | A config map.
    serviceAccountToken ServiceAccountTokenProjection | A token.
    clusterTrustBundle ClusterTrustBundleProjection | Certificates to trust.
    podCertificate PodCertificateProjection | A certificate of the pod's own.
    # SecretProjection | A secret's keys.
    name string | The secret.
    items []KeyToPath | Only these keys.
    optional bool | It may be missing.
    # ConfigMapProjection | A config map's keys.
    name string | The config map.
    items []KeyToPath | Only these keys.
    optional bool | It may be missing.
    # DownwardAPIProjection | Fields of the pod.
    items []DownwardAPIVolumeFile | The files.
    # ServiceAccountTokenProjection | A token of the pod's account.
    audience string | Who it is for.
    expirationSeconds int64 | How long it is good; 3600.
    path! string | The file's relative path.
    # ClusterTrustBundleProjection | Certificates to trust.
    name string | One bundle.
    signerName string | All bundles of a signer.
    labelSelector meta.LabelSelector | Of those, these.
    optional bool | They may be missing.
    path! string | The file's relative path.
    # PodCertificateProjection | A certificate of the pod's own.
    signerName string | Who signs it.
    keyType string | The kind of key.
    maxExpirationSeconds int | How long it is good at most.
    credentialBundlePath string | The file with key and chain.
    keyPath string | The file with the key.
    certificateChainPath string | The file with the chain.
    userAnnotations {}string | Passed to the signer.
    # CSIVolumeSource | A volume that a CSI driver makes with the pod.
    driver! string | The driver.
    readOnly bool | No writing.
    fsType string | The file system.
    volumeAttributes {}string | Passed to the driver.
    nodePublishSecretRef LocalObjectReference | A secret passed to the driver.
    # ImageVolumeSource | The files of an image.
    reference string | The image.
    pullPolicy string | Always, IfNotPresent or Never.
    # NFSVolumeSource | An NFS export.
    server! string | The server.
    path! string | The exported path.
    readOnly bool | No writing.
    # ISCSIVolumeSource | An iSCSI disk.
    targetPortal! string | The target's address.
    iqn! string | The target's name.
    lun! int | The unit.
    iscsiInterface string | The interface.
    fsType string | The file system.
    readOnly bool | No writing.
    portals []string | Further addresses.
    chapAuthDiscovery bool | CHAP for discovery.
    chapAuthSession bool | CHAP for sessions.
    secretRef LocalObjectReference | The CHAP secret.
    initiatorName string | The initiator's name.
    # FCVolumeSource | A Fibre Channel disk.
    targetWWNs []string | World wide names.
    lun int | The unit.
    fsType string | The file system.
    readOnly bool | No writing.
    wwids []string | World wide identifiers.
    """)
}
