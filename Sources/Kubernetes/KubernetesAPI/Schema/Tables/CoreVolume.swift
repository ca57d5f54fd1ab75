extension SchemaTable {
  /// Volumes of pods, and the sources that persistent volumes share with them.
  static let coreVolume = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # Volume | A volume of a pod: a name and exactly one source.
    name! string 1 | The volume's name, unique in the pod.
    hostPath HostPathVolumeSource *2.1 | A path of the node.
    emptyDir EmptyDirVolumeSource *2.2 | An empty directory that goes with the pod.
    gcePersistentDisk GCEPersistentDiskVolumeSource *2.3 | A Google disk.
    awsElasticBlockStore AWSElasticBlockStoreVolumeSource *2.4 | An Amazon disk.
    gitRepo GitRepoVolumeSource *2.5 | No longer served.
    secret SecretVolumeSource *2.6 | The keys of a secret as files.
    nfs NFSVolumeSource *2.7 | An NFS export.
    iscsi ISCSIVolumeSource *2.8 | An iSCSI disk.
    glusterfs GlusterfsVolumeSource *2.9 | A GlusterFS volume.
    persistentVolumeClaim PersistentVolumeClaimVolumeSource *2.10 | The volume of a claim.
    rbd RBDVolumeSource *2.11 | A Ceph disk.
    flexVolume FlexVolumeSource *2.12 | No longer served.
    cinder CinderVolumeSource *2.13 | An OpenStack disk.
    cephfs CephFSVolumeSource *2.14 | A Ceph file system.
    flocker FlockerVolumeSource *2.15 | A Flocker volume.
    downwardAPI DownwardAPIVolumeSource *2.16 | Fields of the pod as files.
    fc FCVolumeSource *2.17 | A Fibre Channel disk.
    azureFile AzureFileVolumeSource *2.18 | An Azure share.
    configMap ConfigMapVolumeSource *2.19 | The keys of a config map as files.
    vsphereVolume VsphereVirtualDiskVolumeSource *2.20 | A vSphere disk.
    quobyte QuobyteVolumeSource *2.21 | A Quobyte volume.
    azureDisk AzureDiskVolumeSource *2.22 | An Azure disk.
    photonPersistentDisk PhotonPersistentDiskVolumeSource *2.23 | A Photon disk.
    projected ProjectedVolumeSource *2.26 | Several sources in one directory.
    portworxVolume PortworxVolumeSource *2.24 | A Portworx volume.
    scaleIO ScaleIOVolumeSource *2.25 | A ScaleIO volume.
    storageos StorageOSVolumeSource *2.27 | A StorageOS volume.
    csi CSIVolumeSource *2.28 | A volume that a CSI driver makes with the pod.
    ephemeral EphemeralVolumeSource *2.29 | A claim that is made and goes with the pod.
    image ImageVolumeSource *2.30 | The files of an image.
    # HostPathVolumeSource | A path of the node.
    path! string 1 | The path.
    type string *2 | What must be there: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice.
    # EmptyDirVolumeSource | An empty directory.
    medium string 1 | Memory for tmpfs; the node's disk if empty.
    sizeLimit quantity *2 | The most it may hold.
    # SecretVolumeSource | The keys of a secret as files.
    secretName string 1 | The secret.
    items []KeyToPath 2 | Only these keys, at these paths.
    defaultMode int(0..511) *3 | The files' permissions; 0644.
    optional bool *4 | The secret may be missing.
    # ConfigMapVolumeSource | The keys of a config map as files.
    name string 1.1 | The config map.
    items []KeyToPath 2 | Only these keys, at these paths.
    defaultMode int(0..511) *3 | The files' permissions; 0644.
    optional bool *4 | The config map may be missing.
    # KeyToPath | A key and its file.
    key! string 1 | The key.
    path! string 2 | The file's relative path.
    mode int(0..511) *3 | The file's permissions.
    # PersistentVolumeClaimVolumeSource | A claim's volume.
    claimName! string 1 | The claim, of the same namespace.
    readOnly bool 2 | No writing.
    # EphemeralVolumeSource | A claim that belongs to the pod.
    volumeClaimTemplate PersistentVolumeClaimTemplate *1 | What the claim looks like.
    # PersistentVolumeClaimTemplate | What a claim looks like.
    metadata meta.ObjectMeta 1 | Labels and annotations of the claim.
    spec! PersistentVolumeClaimSpec 2 | The claim's spec.
    # DownwardAPIVolumeSource | Fields of the pod as files.
    items []DownwardAPIVolumeFile 1 | The files.
    defaultMode int(0..511) *2 | The files' permissions; 0644.
    # DownwardAPIVolumeFile | A field and its file.
    path! string 1 | The file's relative path.
    fieldRef ObjectFieldSelector *2 | A field of the pod.
    resourceFieldRef ResourceFieldSelector *3 | A resource of a container.
    mode int(0..511) *4 | The file's permissions.
    # ProjectedVolumeSource | Several sources in one directory.
    sources []VolumeProjection 1 | The sources.
    defaultMode int(0..511) *2 | The files' permissions; 0644.
    # VolumeProjection | One source.
    secret SecretProjection *1 | A secret.
    downwardAPI DownwardAPIProjection *2 | Fields of the pod.
    configMap ConfigMapProjection *3 | A config map.
    serviceAccountToken ServiceAccountTokenProjection *4 | A token.
    clusterTrustBundle ClusterTrustBundleProjection *5 | Certificates to trust.
    podCertificate PodCertificateProjection *6 | A certificate of the pod's own.
    # SecretProjection | A secret's keys.
    name string 1.1 | The secret.
    items []KeyToPath 2 | Only these keys.
    optional bool *4 | It may be missing.
    # ConfigMapProjection | A config map's keys.
    name string 1.1 | The config map.
    items []KeyToPath 2 | Only these keys.
    optional bool *4 | It may be missing.
    # DownwardAPIProjection | Fields of the pod.
    items []DownwardAPIVolumeFile 1 | The files.
    # ServiceAccountTokenProjection | A token of the pod's account.
    audience string 1 | Who it is for.
    expirationSeconds int64(600..4294967296) *2 | How long it is good; 3600.
    path! string 3 | The file's relative path.
    # ClusterTrustBundleProjection | Certificates to trust.
    name string *1 | One bundle.
    signerName string *2 | All bundles of a signer.
    labelSelector meta.LabelSelector *3 | Of those, these.
    optional bool *5 | They may be missing.
    path! string 4 | The file's relative path.
    # PodCertificateProjection | A certificate of the pod's own.
    signerName string 1 | Who signs it.
    keyType string 2 | The kind of key.
    maxExpirationSeconds int *3 | How long it is good at most.
    credentialBundlePath string 4 | The file with key and chain.
    keyPath string 5 | The file with the key.
    certificateChainPath string 6 | The file with the chain.
    userAnnotations {}string 7 | Passed to the signer.
    # CSIVolumeSource | A volume that a CSI driver makes with the pod.
    driver! string 1 | The driver.
    readOnly bool *2 | No writing.
    fsType string *3 | The file system.
    volumeAttributes {}string 4 | Passed to the driver.
    nodePublishSecretRef LocalObjectReference *5 | A secret passed to the driver.
    # ImageVolumeSource | The files of an image.
    reference string 1 | The image.
    pullPolicy string 2 | Always, IfNotPresent or Never.
    # NFSVolumeSource | An NFS export.
    server! string 1 | The server.
    path! string 2 | The exported path.
    readOnly bool 3 | No writing.
    # ISCSIVolumeSource | An iSCSI disk.
    targetPortal! string 1 | The target's address.
    iqn! string 2 | The target's name.
    lun! int(0..255) 3 | The unit.
    iscsiInterface string 4 | The interface.
    fsType string 5 | The file system.
    readOnly bool 6 | No writing.
    portals []string 7 | Further addresses.
    chapAuthDiscovery bool 8 | CHAP for discovery.
    chapAuthSession bool 11 | CHAP for sessions.
    secretRef LocalObjectReference *10 | The CHAP secret.
    initiatorName string *12 | The initiator's name.
    # FCVolumeSource | A Fibre Channel disk.
    targetWWNs []string 1 | World wide names.
    lun int(0..255) *2 | The unit.
    fsType string 3 | The file system.
    readOnly bool 4 | No writing.
    wwids []string 5 | World wide identifiers.
    """)
}
