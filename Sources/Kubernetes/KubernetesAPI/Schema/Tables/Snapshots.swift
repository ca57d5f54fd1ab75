extension SchemaTable {
  static let snapshots = SchemaTable(
    "io.k8s.storage.snapshot.v1",
    """
    # VolumeSnapshotClass : | A way of taking snapshots.
    driver! string | The CSI driver that takes them.
    parameters {}string | Passed to the driver.
    deletionPolicy! enum(Delete,Retain) | What becomes of a snapshot when its VolumeSnapshot goes.
    # VolumeSnapshot : VolumeSnapshotSpec VolumeSnapshotStatus | What a volume held at one instant.
    # VolumeSnapshotSpec | What is kept, and how.
    source! VolumeSnapshotSource | What it is a snapshot of; cannot change.
    volumeSnapshotClassName string | The class; without one the default class of the volume's driver.
    # VolumeSnapshotSource | One of the two.
    persistentVolumeClaimName string | A claim in the same namespace, whose volume is kept as it is now.
    volumeSnapshotContentName string | A snapshot that is there already.
    # VolumeSnapshotStatus | What became of it.
    boundVolumeSnapshotContentName string | The object that stands for what the driver keeps.
    creationTime time | When it was taken.
    readyToUse bool | Claims can be made from it.
    restoreSize quantity | What such a claim has at least.
    error VolumeSnapshotError | What went wrong last.
    volumeGroupSnapshotName string | The group that it was taken with.
    # VolumeSnapshotError | What went wrong.
    time time | When.
    message string | What, for people.
    # VolumeSnapshotContent : VolumeSnapshotContentSpec VolumeSnapshotContentStatus | A snapshot as its driver has it.
    # VolumeSnapshotContentSpec | What it is.
    volumeSnapshotRef! core.ObjectReference | Whose it is: the VolumeSnapshot's namespace and name, and its uid once they are bound.
    deletionPolicy! enum(Delete,Retain) | What becomes of it when its VolumeSnapshot goes.
    driver! string | The CSI driver that has it.
    volumeSnapshotClassName string | The class by which it was taken.
    source! VolumeSnapshotContentSource | What it was taken of, or which one it is; cannot change.
    sourceVolumeMode string | Filesystem or Block: that of the volume.
    # VolumeSnapshotContentSource | One of the two.
    volumeHandle string | A volume of the driver, which is kept as it is now.
    snapshotHandle string | A snapshot that the driver has already.
    # VolumeSnapshotContentStatus | What became of it.
    snapshotHandle string | The driver's name for it.
    creationTime int64 | When it was taken: nanoseconds since 1970.
    restoreSize int64(0..) | Bytes that a volume made from it has at least.
    readyToUse bool | Volumes can be made from it.
    error VolumeSnapshotError | What went wrong last.
    volumeGroupSnapshotHandle string | The group that it was taken with.
    """)
}
