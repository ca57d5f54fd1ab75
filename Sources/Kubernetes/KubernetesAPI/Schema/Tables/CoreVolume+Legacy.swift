extension SchemaTable {
  /// Volume sources of other platforms: nothing here mounts them, but manifests and backups may hold them.
  static let coreVolumeLegacy = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # GCEPersistentDiskVolumeSource | A Google disk.
    pdName! string | The disk.
    fsType string | The file system.
    partition int | The partition.
    readOnly bool | No writing.
    # AWSElasticBlockStoreVolumeSource | An Amazon disk.
    volumeID! string | The disk.
    fsType string | The file system.
    partition int | The partition.
    readOnly bool | No writing.
    # GitRepoVolumeSource | A git repository.
    repository! string | Its address.
    revision string | The commit.
    directory string | Where it appears.
    # GlusterfsVolumeSource | A GlusterFS volume.
    endpoints! string | The servers' endpoints.
    path! string | The volume.
    readOnly bool | No writing.
    # GlusterfsPersistentVolumeSource | A GlusterFS volume.
    endpoints! string | The servers' endpoints.
    path! string | The volume.
    readOnly bool | No writing.
    endpointsNamespace string | The endpoints' namespace.
    # RBDVolumeSource | A Ceph disk.
    monitors! []string | The monitors.
    image! string | The disk.
    fsType string | The file system.
    pool string | The pool.
    user string | The user.
    keyring string | The key ring's file.
    secretRef LocalObjectReference | The user's secret.
    readOnly bool | No writing.
    # RBDPersistentVolumeSource | A Ceph disk.
    monitors! []string | The monitors.
    image! string | The disk.
    fsType string | The file system.
    pool string | The pool.
    user string | The user.
    keyring string | The key ring's file.
    secretRef SecretReference | The user's secret.
    readOnly bool | No writing.
    # FlexVolumeSource | A FlexVolume.
    driver! string | The driver.
    fsType string | The file system.
    secretRef LocalObjectReference | A secret for the driver.
    readOnly bool | No writing.
    options {}string | Passed to the driver.
    # FlexPersistentVolumeSource | A FlexVolume.
    driver! string | The driver.
    fsType string | The file system.
    secretRef SecretReference | A secret for the driver.
    readOnly bool | No writing.
    options {}string | Passed to the driver.
    # CinderVolumeSource | An OpenStack disk.
    volumeID! string | The disk.
    fsType string | The file system.
    readOnly bool | No writing.
    secretRef LocalObjectReference | Credentials.
    # CinderPersistentVolumeSource | An OpenStack disk.
    volumeID! string | The disk.
    fsType string | The file system.
    readOnly bool | No writing.
    secretRef SecretReference | Credentials.
    # CephFSVolumeSource | A Ceph file system.
    monitors! []string | The monitors.
    path string | The directory.
    user string | The user.
    secretFile string | The secret's file.
    secretRef LocalObjectReference | The user's secret.
    readOnly bool | No writing.
    # CephFSPersistentVolumeSource | A Ceph file system.
    monitors! []string | The monitors.
    path string | The directory.
    user string | The user.
    secretFile string | The secret's file.
    secretRef SecretReference | The user's secret.
    readOnly bool | No writing.
    # FlockerVolumeSource | A Flocker volume.
    datasetName string | Its name.
    datasetUUID string | Its number.
    # AzureFileVolumeSource | An Azure share.
    secretName! string | Credentials.
    shareName! string | The share.
    readOnly bool | No writing.
    # AzureFilePersistentVolumeSource | An Azure share.
    secretName! string | Credentials.
    shareName! string | The share.
    readOnly bool | No writing.
    secretNamespace string | The credentials' namespace.
    # AzureDiskVolumeSource | An Azure disk.
    diskName! string | The disk.
    diskURI! string | Its address.
    cachingMode string | How it is cached.
    fsType string | The file system.
    readOnly bool | No writing.
    kind string | Shared, Dedicated or Managed.
    # VsphereVirtualDiskVolumeSource | A vSphere disk.
    volumePath! string | The disk.
    fsType string | The file system.
    storagePolicyName string | The policy.
    storagePolicyID string | The policy's number.
    # QuobyteVolumeSource | A Quobyte volume.
    registry! string | The servers.
    volume! string | The volume.
    readOnly bool | No writing.
    user string | The user.
    group string | The group.
    tenant string | The tenant.
    # PhotonPersistentDiskVolumeSource | A Photon disk.
    pdID! string | The disk.
    fsType string | The file system.
    # PortworxVolumeSource | A Portworx volume.
    volumeID! string | The volume.
    fsType string | The file system.
    readOnly bool | No writing.
    # ScaleIOVolumeSource | A ScaleIO volume.
    gateway! string | The gateway.
    system! string | The system.
    secretRef! LocalObjectReference | Credentials.
    sslEnabled bool | Encrypted.
    protectionDomain string | The domain.
    storagePool string | The pool.
    storageMode string | Thick or thin.
    volumeName string | The volume.
    fsType string | The file system.
    readOnly bool | No writing.
    # ScaleIOPersistentVolumeSource | A ScaleIO volume.
    gateway! string | The gateway.
    system! string | The system.
    secretRef! SecretReference | Credentials.
    sslEnabled bool | Encrypted.
    protectionDomain string | The domain.
    storagePool string | The pool.
    storageMode string | Thick or thin.
    volumeName string | The volume.
    fsType string | The file system.
    readOnly bool | No writing.
    # StorageOSVolumeSource | A StorageOS volume.
    volumeName string | The volume.
    volumeNamespace string | Its namespace.
    fsType string | The file system.
    readOnly bool | No writing.
    secretRef LocalObjectReference | Credentials.
    # StorageOSPersistentVolumeSource | A StorageOS volume.
    volumeName string | The volume.
    volumeNamespace string | Its namespace.
    fsType string | The file system.
    readOnly bool | No writing.
    secretRef ObjectReference | Credentials.
    """)
}
