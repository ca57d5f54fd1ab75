extension SchemaTable {
  /// Volume sources of other platforms: nothing here mounts them, but manifests and backups may hold them.
  static let coreVolumeLegacy = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # GCEPersistentDiskVolumeSource | A Google disk.
    pdName! string 1 | The disk.
    fsType string 2 | The file system.
    partition int(0..255) 3 | The partition.
    readOnly bool 4 | No writing.
    # AWSElasticBlockStoreVolumeSource | An Amazon disk.
    volumeID! string 1 | The disk.
    fsType string 2 | The file system.
    partition int(0..255) 3 | The partition.
    readOnly bool 4 | No writing.
    # GitRepoVolumeSource | A git repository.
    repository! string 1 | Its address.
    revision string 2 | The commit.
    directory string 3 | Where it appears.
    # GlusterfsVolumeSource | A GlusterFS volume.
    endpoints! string 1 | The servers' endpoints.
    path! string 2 | The volume.
    readOnly bool 3 | No writing.
    # GlusterfsPersistentVolumeSource | A GlusterFS volume.
    endpoints! string 1 | The servers' endpoints.
    path! string 2 | The volume.
    readOnly bool 3 | No writing.
    endpointsNamespace string *4 | The endpoints' namespace.
    # RBDVolumeSource | A Ceph disk.
    monitors! []string 1 | The monitors.
    image! string 2 | The disk.
    fsType string 3 | The file system.
    pool string 4 | The pool.
    user string 5 | The user.
    keyring string 6 | The key ring's file.
    secretRef LocalObjectReference *7 | The user's secret.
    readOnly bool 8 | No writing.
    # RBDPersistentVolumeSource | A Ceph disk.
    monitors! []string 1 | The monitors.
    image! string 2 | The disk.
    fsType string 3 | The file system.
    pool string 4 | The pool.
    user string 5 | The user.
    keyring string 6 | The key ring's file.
    secretRef SecretReference *7 | The user's secret.
    readOnly bool 8 | No writing.
    # FlexVolumeSource | A FlexVolume.
    driver! string 1 | The driver.
    fsType string 2 | The file system.
    secretRef LocalObjectReference *3 | A secret for the driver.
    readOnly bool 4 | No writing.
    options {}string 5 | Passed to the driver.
    # FlexPersistentVolumeSource | A FlexVolume.
    driver! string 1 | The driver.
    fsType string 2 | The file system.
    secretRef SecretReference *3 | A secret for the driver.
    readOnly bool 4 | No writing.
    options {}string 5 | Passed to the driver.
    # CinderVolumeSource | An OpenStack disk.
    volumeID! string 1 | The disk.
    fsType string 2 | The file system.
    readOnly bool 3 | No writing.
    secretRef LocalObjectReference *4 | Credentials.
    # CinderPersistentVolumeSource | An OpenStack disk.
    volumeID! string 1 | The disk.
    fsType string 2 | The file system.
    readOnly bool 3 | No writing.
    secretRef SecretReference *4 | Credentials.
    # CephFSVolumeSource | A Ceph file system.
    monitors! []string 1 | The monitors.
    path string 2 | The directory.
    user string 3 | The user.
    secretFile string 4 | The secret's file.
    secretRef LocalObjectReference *5 | The user's secret.
    readOnly bool 6 | No writing.
    # CephFSPersistentVolumeSource | A Ceph file system.
    monitors! []string 1 | The monitors.
    path string 2 | The directory.
    user string 3 | The user.
    secretFile string 4 | The secret's file.
    secretRef SecretReference *5 | The user's secret.
    readOnly bool 6 | No writing.
    # FlockerVolumeSource | A Flocker volume.
    datasetName string 1 | Its name.
    datasetUUID string 2 | Its number.
    # AzureFileVolumeSource | An Azure share.
    secretName! string 1 | Credentials.
    shareName! string 2 | The share.
    readOnly bool 3 | No writing.
    # AzureFilePersistentVolumeSource | An Azure share.
    secretName! string 1 | Credentials.
    shareName! string 2 | The share.
    readOnly bool 3 | No writing.
    secretNamespace string *4 | The credentials' namespace.
    # AzureDiskVolumeSource | An Azure disk.
    diskName! string 1 | The disk.
    diskURI! string 2 | Its address.
    cachingMode string *3 | How it is cached.
    fsType string *4 | The file system.
    readOnly bool *5 | No writing.
    kind string *6 | Shared, Dedicated or Managed.
    # VsphereVirtualDiskVolumeSource | A vSphere disk.
    volumePath! string 1 | The disk.
    fsType string 2 | The file system.
    storagePolicyName string 3 | The policy.
    storagePolicyID string 4 | The policy's number.
    # QuobyteVolumeSource | A Quobyte volume.
    registry! string 1 | The servers.
    volume! string 2 | The volume.
    readOnly bool 3 | No writing.
    user string 4 | The user.
    group string 5 | The group.
    tenant string 6 | The tenant.
    # PhotonPersistentDiskVolumeSource | A Photon disk.
    pdID! string 1 | The disk.
    fsType string 2 | The file system.
    # PortworxVolumeSource | A Portworx volume.
    volumeID! string 1 | The volume.
    fsType string 2 | The file system.
    readOnly bool 3 | No writing.
    # ScaleIOVolumeSource | A ScaleIO volume.
    gateway! string 1 | The gateway.
    system! string 2 | The system.
    secretRef! LocalObjectReference *3 | Credentials.
    sslEnabled bool 4 | Encrypted.
    protectionDomain string 5 | The domain.
    storagePool string 6 | The pool.
    storageMode string 7 | Thick or thin.
    volumeName string 8 | The volume.
    fsType string 9 | The file system.
    readOnly bool 10 | No writing.
    # ScaleIOPersistentVolumeSource | A ScaleIO volume.
    gateway! string 1 | The gateway.
    system! string 2 | The system.
    secretRef! SecretReference *3 | Credentials.
    sslEnabled bool 4 | Encrypted.
    protectionDomain string 5 | The domain.
    storagePool string 6 | The pool.
    storageMode string 7 | Thick or thin.
    volumeName string 8 | The volume.
    fsType string 9 | The file system.
    readOnly bool 10 | No writing.
    # StorageOSVolumeSource | A StorageOS volume.
    volumeName string 1 | The volume.
    volumeNamespace string 2 | Its namespace.
    fsType string 3 | The file system.
    readOnly bool 4 | No writing.
    secretRef LocalObjectReference *5 | Credentials.
    # StorageOSPersistentVolumeSource | A StorageOS volume.
    volumeName string 1 | The volume.
    volumeNamespace string 2 | Its namespace.
    fsType string 3 | The file system.
    readOnly bool 4 | No writing.
    secretRef ObjectReference *5 | Credentials.
    """)
}
