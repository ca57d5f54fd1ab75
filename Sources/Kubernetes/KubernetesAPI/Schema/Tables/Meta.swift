extension SchemaTable {
  static let meta = SchemaTable(
    "io.k8s.apimachinery.pkg.apis.meta.v1",
    """
    # ObjectMeta | What every stored object has.
    name string | Unique among objects of the kind in the namespace; it cannot change.
    generateName string | A prefix from which the server makes a unique name when name is empty.
    namespace string | The space within which the name is unique; it cannot change.
    selfLink string | No longer used.
    uid string | Unique in time and space; set by the server.
    resourceVersion string | The object's version, for optimistic concurrency; opaque to clients.
    generation int64 | Counts the changes of what is wanted; set by the server.
    creationTimestamp time | When the server created the object.
    deletionTimestamp time | When the object goes; set once its deletion was asked for.
    deletionGracePeriodSeconds int64 | Seconds the object has to end in an orderly way.
    labels {}string | Keys and values by which objects are selected.
    annotations {}string | Keys and values for tools; not selectable.
    ownerReferences []OwnerReference@uid | Objects this one depends on; when all are gone, it goes too.
    finalizers []string@set | Names of those who must act before the object may go.
    managedFields []ManagedFieldsEntry | Who set which field; kept for clients that send it.
    # OwnerReference | A pointer to an object that this one depends on.
    apiVersion! string | The owner's API version.
    kind! string | The owner's kind.
    name! string | The owner's name.
    uid! string | The owner's uid.
    controller bool | The owner manages this object.
    blockOwnerDeletion bool | A foreground deletion of the owner waits for this object.
    # ManagedFieldsEntry | The fields that one manager set.
    manager string | Who set them.
    operation string | Apply or Update.
    apiVersion string | The version of the fields' schema.
    time time | When they were last changed.
    fieldsType string | The form of fieldsV1.
    fieldsV1 any | The set of fields.
    subresource string | The subresource through which they were set.
    # LabelSelector | Chooses objects by their labels; all requirements must hold.
    matchLabels {}string | Labels that must have exactly these values.
    matchExpressions []LabelSelectorRequirement | Further requirements.
    # LabelSelectorRequirement | A key, an operator and values.
    key! string | The label's key.
    operator! string | In, NotIn, Exists or DoesNotExist.
    values []string | The values for In and NotIn.
    # FieldSelectorRequirement | A field, an operator and values.
    key! string | The field.
    operator! string | In, NotIn, Exists or DoesNotExist.
    values []string | The values for In and NotIn.
    # Condition | One aspect of an object's state.
    type! string | The aspect.
    status! enum(True,False,Unknown) | Whether it holds.
    observedGeneration int64 | The generation of the object that this is about.
    lastTransitionTime! time | When the status last changed.
    reason! string | A word for why.
    message! string | A sentence for people.
    # ListMeta | What every list has.
    selfLink string | No longer used.
    resourceVersion string | The version of the list as a whole.
    continue string | A token to ask for the next page with.
    remainingItemCount int64 | How many items follow, if known.
    # Status | The outcome of a request that returns no object.
    apiVersion string | v1
    kind string | Status
    metadata ListMeta | The list's metadata.
    status string | Success or Failure.
    message string | A sentence for people.
    reason string | A word for machines.
    details StatusDetails | What it is about.
    code int | The HTTP status code.
    # StatusDetails | What a status is about.
    name string | The object's name.
    group string | The object's group.
    kind string | The object's kind or resource.
    uid string | The object's uid.
    causes []StatusCause | Fault by fault.
    retryAfterSeconds int | How long to wait before trying again.
    # StatusCause | One fault.
    reason string | A word for machines.
    message string | A sentence for people.
    field string | Where the fault is.
    # DeleteOptions | How to delete.
    apiVersion string | Group and version.
    kind string | DeleteOptions
    gracePeriodSeconds int64 | Seconds until the object goes; 0: at once.
    preconditions Preconditions | What must hold for the deletion.
    orphanDependents bool | No longer used; see propagationPolicy.
    propagationPolicy string | Orphan, Background or Foreground.
    dryRun []string | All: check everything, store nothing.
    ignoreStoreReadErrorWithClusterBreakingPotential bool | Delete although the stored object cannot be read.
    # Preconditions | What must hold for a change.
    uid string | The object's uid.
    resourceVersion string | The object's version.
    """)
}
