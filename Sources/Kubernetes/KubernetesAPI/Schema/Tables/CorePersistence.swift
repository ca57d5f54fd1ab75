extension SchemaTable {
  static let corePersistence = SchemaTable(
    "io.k8s.api.core.v1",
    """
    # PersistentVolume : PersistentVolumeSpec PersistentVolumeStatus | A volume as the cluster has it.
    # PersistentVolumeSpec | Where a volume is, and how it may be used; exactly one source.
    capacity {}quantity 1 | Its size, under storage.
    gcePersistentDisk GCEPersistentDiskVolumeSource *2.1 | A Google disk.
    awsElasticBlockStore AWSElasticBlockStoreVolumeSource *2.2 | An Amazon disk.
    hostPath HostPathVolumeSource *2.3 | A path of the node.
    glusterfs GlusterfsPersistentVolumeSource *2.4 | A GlusterFS volume.
    nfs NFSVolumeSource *2.5 | An NFS export.
    rbd RBDPersistentVolumeSource *2.6 | A Ceph disk.
    iscsi ISCSIPersistentVolumeSource *2.7 | An iSCSI disk.
    cinder CinderPersistentVolumeSource *2.8 | An OpenStack disk.
    cephfs CephFSPersistentVolumeSource *2.9 | A Ceph file system.
    fc FCVolumeSource *2.10 | A Fibre Channel disk.
    flocker FlockerVolumeSource *2.11 | A Flocker volume.
    flexVolume FlexPersistentVolumeSource *2.12 | No longer served.
    azureFile AzureFilePersistentVolumeSource *2.13 | An Azure share.
    vsphereVolume VsphereVirtualDiskVolumeSource *2.14 | A vSphere disk.
    quobyte QuobyteVolumeSource *2.15 | A Quobyte volume.
    azureDisk AzureDiskVolumeSource *2.16 | An Azure disk.
    photonPersistentDisk PhotonPersistentDiskVolumeSource *2.17 | A Photon disk.
    portworxVolume PortworxVolumeSource *2.18 | A Portworx volume.
    scaleIO ScaleIOPersistentVolumeSource *2.19 | A ScaleIO volume.
    local LocalVolumeSource *2.20 | A directory or disk of one node.
    storageos StorageOSPersistentVolumeSource *2.21 | A StorageOS volume.
    csi CSIPersistentVolumeSource *2.22 | A volume of a CSI driver.
    accessModes []string 3 | ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.
    claimRef ObjectReference *4 | The claim that has it.
    persistentVolumeReclaimPolicy string 5 | Retain, Delete or Recycle: what becomes of it when its claim goes.
    storageClassName string 6 | The class it belongs to.
    mountOptions []string 7 | Options of the mount.
    volumeMode string *8 | Filesystem or Block.
    nodeAffinity VolumeNodeAffinity *9 | The nodes that can reach it.
    volumeAttributesClassName string *10 | The attributes in force.
    # PersistentVolumeStatus | A volume's state.
    phase string 1 | Pending, Available, Bound, Released or Failed.
    message string 2 | A sentence for people.
    reason string 3 | A word for why.
    lastPhaseTransitionTime time *4 | When the phase last changed.
    # VolumeNodeAffinity | The nodes that can reach a volume.
    required NodeSelector *1 | What the node must be.
    # LocalVolumeSource | A directory or disk of one node.
    path! string 1 | The path.
    fsType string *2 | The file system, for disks.
    # CSIPersistentVolumeSource | A volume of a CSI driver.
    driver! string 1 | The driver.
    volumeHandle! string 2 | The driver's id of the volume.
    readOnly bool 3 | No writing.
    fsType string 4 | The file system.
    volumeAttributes {}string 5 | Passed to the driver.
    controllerPublishSecretRef SecretReference *6 | A secret for attaching.
    nodeStageSecretRef SecretReference *7 | A secret for staging.
    nodePublishSecretRef SecretReference *8 | A secret for publishing.
    controllerExpandSecretRef SecretReference *9 | A secret for growing.
    nodeExpandSecretRef SecretReference *10 | A secret for growing on the node.
    # ISCSIPersistentVolumeSource | An iSCSI disk.
    targetPortal! string 1 | The target's address.
    iqn! string 2 | The target's name.
    lun! int(0..255) 3 | The unit.
    iscsiInterface string 4 | The interface.
    fsType string 5 | The file system.
    readOnly bool 6 | No writing.
    portals []string 7 | Further addresses.
    chapAuthDiscovery bool 8 | CHAP for discovery.
    chapAuthSession bool 11 | CHAP for sessions.
    secretRef SecretReference *10 | The CHAP secret.
    initiatorName string *12 | The initiator's name.
    # SecretReference | A secret of any namespace.
    name string 1 | Its name.
    namespace string 2 | Its namespace.
    # PersistentVolumeClaim : PersistentVolumeClaimSpec PersistentVolumeClaimStatus | A wish for a volume.
    # PersistentVolumeClaimSpec | What volume is wished for.
    accessModes []string 1 | How it is to be mounted: ReadWriteOnce and others.
    selector meta.LabelSelector *4 | Labels that the volume must have.
    resources VolumeResourceRequirements 2 | How large it must be, under requests.storage; may grow later.
    volumeName string 3 | The volume it got.
    storageClassName string *5 | The class that makes it; the default class if left out.
    volumeMode string *6 | Filesystem (default) or Block.
    dataSource TypedLocalObjectReference *7 | What it is filled from.
    dataSourceRef TypedObjectReference *8 | What it is filled from; any kind.
    volumeAttributesClassName string *9 | The attributes wished for.
    # VolumeResourceRequirements | Sizes.
    limits {}quantity 1 | The most.
    requests {}quantity 2 | The least.
    # PersistentVolumeClaimStatus | How the wish is doing.
    phase string 1 | Pending, Bound or Lost.
    accessModes []string 2 | How the volume may be mounted.
    capacity {}quantity 3 | The volume's size.
    conditions []PersistentVolumeClaimCondition@type 4 | Resizing and others.
    allocatedResources {}quantity 5 | The size that is being made.
    allocatedResourceStatuses {}string 7 | How far the growth is.
    currentVolumeAttributesClassName string *8 | The attributes in force.
    modifyVolumeStatus ModifyVolumeStatus *9 | How far the change of attributes is.
    # ModifyVolumeStatus | A change of attributes.
    targetVolumeAttributesClassName string 1 | The attributes to be.
    status! string 2 | Pending, InProgress or Infeasible.
    # PersistentVolumeClaimCondition | One aspect of a claim's state.
    type! string 1 | The aspect.
    status! string 2 | True, False or Unknown.
    lastProbeTime time 3 | When it was last looked at.
    lastTransitionTime time 4 | When the status last changed.
    reason string 5 | A word for why.
    message string 6 | A sentence for people.
    """)
}
