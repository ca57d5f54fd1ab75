extension SchemaTable {
  static let corePersistence = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # PersistentVolume : PersistentVolumeSpec PersistentVolumeStatus | A volume as the cluster has it.
    # PersistentVolumeSpec | Where a volume is, and how it may be used; exactly one source.
    capacity {}quantity | Its size, under storage.
    gcePersistentDisk GCEPersistentDiskVolumeSource | A Google disk.
    awsElasticBlockStore AWSElasticBlockStoreVolumeSource | An Amazon disk.
    hostPath HostPathVolumeSource | A path of the node.
    glusterfs GlusterfsPersistentVolumeSource | A GlusterFS volume.
    nfs NFSVolumeSource | An NFS export.
    rbd RBDPersistentVolumeSource | A Ceph disk.
    iscsi ISCSIPersistentVolumeSource | An iSCSI disk.
    cinder CinderPersistentVolumeSource | An OpenStack disk.
    cephfs CephFSPersistentVolumeSource | A Ceph file system.
    fc FCVolumeSource | A Fibre Channel disk.
    flocker FlockerVolumeSource | A Flocker volume.
    flexVolume FlexPersistentVolumeSource | No longer served.
    azureFile AzureFilePersistentVolumeSource | An Azure share.
    vsphereVolume VsphereVirtualDiskVolumeSource | A vSphere disk.
    quobyte QuobyteVolumeSource | A Quobyte volume.
    azureDisk AzureDiskVolumeSource | An Azure disk.
    photonPersistentDisk PhotonPersistentDiskVolumeSource | A Photon disk.
    portworxVolume PortworxVolumeSource | A Portworx volume.
    scaleIO ScaleIOPersistentVolumeSource | A ScaleIO volume.
    local LocalVolumeSource | A directory or disk of one node.
    storageos StorageOSPersistentVolumeSource | A StorageOS volume.
    csi CSIPersistentVolumeSource | A volume of a CSI driver.
    accessModes []string | ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
    claimRef ObjectReference | The claim that has it.
    persistentVolumeReclaimPolicy string | Retain, Delete or Recycle: what becomes of it when its claim goes.
    storageClassName string | The class it belongs to.
    mountOptions []string | Options of the mount.
    volumeMode string | Filesystem or Block.
    nodeAffinity VolumeNodeAffinity | The nodes that can reach it.
    volumeAttributesClassName string | The attributes in force.
    # PersistentVolumeStatus | A volume's state.
    phase string | Pending, Available, Bound, Released or Failed.
    message string | A sentence for people.
    reason string | A word for why.
    lastPhaseTransitionTime time | When the phase last changed.
    # VolumeNodeAffinity | The nodes that can reach a volume.
    required NodeSelector | What the node must be.
    # LocalVolumeSource | A directory or disk of one node.
    path! string | The path.
    fsType string | The file system, for disks.
    # CSIPersistentVolumeSource | A volume of a CSI driver.
    driver! string | The driver.
    volumeHandle! string | The driver's id of the volume.
    readOnly bool | No writing.
    fsType string | The file system.
    volumeAttributes {}string | Passed to the driver.
    controllerPublishSecretRef SecretReference | A secret for attaching.
    nodeStageSecretRef SecretReference | A secret for staging.
    nodePublishSecretRef SecretReference | A secret for publishing.
    controllerExpandSecretRef SecretReference | A secret for growing.
    nodeExpandSecretRef SecretReference | A secret for growing on the node.
    # ISCSIPersistentVolumeSource | An iSCSI disk.
    targetPortal! string | The target's address.
    iqn! string | The target's name.
    lun! int | The unit.
    iscsiInterface string | The interface.
    fsType string | The file system.
    readOnly bool | No writing.
    portals []string | Further addresses.
    chapAuthDiscovery bool | CHAP for discovery.
    chapAuthSession bool | CHAP for sessions.
    secretRef SecretReference | The CHAP secret.
    initiatorName string | The initiator's name.
    # SecretReference | A secret of any namespace.
    name string | Its name.
    namespace string | Its namespace.
    # PersistentVolumeClaim : PersistentVolumeClaimSpec PersistentVolumeClaimStatus | A wish for a volume.
    # PersistentVolumeClaimSpec | What volume is wished for.
    accessModes []string | How it is to be mounted: ReadWriteOnce and others.
    selector meta.LabelSelector | Labels that the volume must have.
    resources VolumeResourceRequirements | How large it must be, under requests.storage; may grow later.
    volumeName string | The volume it got.
    storageClassName string | The class that makes it; the default class if left out.
    volumeMode string | Filesystem (default) or Block.
    dataSource TypedLocalObjectReference | What it is filled from.
    dataSourceRef TypedObjectReference | What it is filled from; any kind.
    volumeAttributesClassName string | The attributes wished for.
    # VolumeResourceRequirements | Sizes.
    limits {}quantity | The most.
    requests {}quantity | The least.
    # PersistentVolumeClaimStatus | How the wish is doing.
    phase string | Pending, Bound or Lost.
    accessModes []string | How the volume may be mounted.
    capacity {}quantity | The volume's size.
    conditions []PersistentVolumeClaimCondition@type | Resizing and others.
    allocatedResources {}quantity | The size that is being made.
    allocatedResourceStatuses {}string | How far the growth is.
    currentVolumeAttributesClassName string | The attributes in force.
    modifyVolumeStatus ModifyVolumeStatus | How far the change of attributes is.
    # ModifyVolumeStatus | A change of attributes.
    targetVolumeAttributesClassName string | The attributes to be.
    status! string | Pending, InProgress or Infeasible.
    # PersistentVolumeClaimCondition | One aspect of a claim's state.
    type! string | The aspect.
    status! string | True, False or Unknown.
    lastProbeTime time | When it was last looked at.
    lastTransitionTime time | When the status last changed.
    reason string | A word for why.
    message string | A sentence for people.
    """)
}
