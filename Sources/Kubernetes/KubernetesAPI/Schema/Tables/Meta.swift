extension SchemaTable {
  static let meta = SchemaTable(
    "io.k8s.apimachinery.pkg.apis.meta.v1",
    """
    # ObjectMeta | What every stored object has.
    name string 1 | Unique among objects of the kind in the namespace; it cannot change.
    generateName string 2 | A prefix from which the server makes a unique name when name is empty.
    namespace string 3 | The space within which the name is unique; it cannot change.
    selfLink string 4 | No longer used.
    uid string 5 | Unique in time and space; set by the server.
    resourceVersion string 6 | The object's version, for optimistic concurrency; opaque to clients.
    generation int64(0..) 7 | Counts the changes of what is wanted; set by the server.
    creationTimestamp time 8 | When the server created the object.
    deletionTimestamp time *9 | When the object goes; set once its deletion was asked for.
    deletionGracePeriodSeconds int64(0..) *10 | Seconds the object has to end in an orderly way.
    labels {}string 11 | Keys and values by which objects are selected.
    annotations {}string 12 | Keys and values for tools; not selectable.
    ownerReferences []OwnerReference@uid 13 | Objects this one depends on; when all are gone, it goes too.
    finalizers []string@set 14 | Names of those who must act before the object may go.
    managedFields []ManagedFieldsEntry 17 | Who set which field; kept for clients that send it.
    # OwnerReference | A pointer to an object that this one depends on.
    apiVersion! string 5 | The owner's API version.
    kind! string 1 | The owner's kind.
    name! string 3 | The owner's name.
    uid! string 4 | The owner's uid.
    controller bool *6 | The owner manages this object.
    blockOwnerDeletion bool *7 | A foreground deletion of the owner waits for this object.
    # ManagedFieldsEntry | The fields that one manager set.
    manager string 1 | Who set them.
    operation string 2 | Apply or Update.
    apiVersion string 3 | The version of the fields' schema.
    time time *4 | When they were last changed.
    fieldsType string 6 | The form of fieldsV1.
    fieldsV1 any *7 | The set of fields.
    subresource string 8 | The subresource through which they were set.
    # LabelSelector | Chooses objects by their labels; all requirements must hold.
    matchLabels {}string 1 | Labels that must have exactly these values.
    matchExpressions []LabelSelectorRequirement 2 | Further requirements.
    # LabelSelectorRequirement | A key, an operator and values.
    key! string 1 | The label's key.
    operator! string 2 | In, NotIn, Exists or DoesNotExist.
    values []string 3 | The values for In and NotIn.
    # FieldSelectorRequirement | A field, an operator and values.
    key! string 1 | The field.
    operator! string 2 | In, NotIn, Exists or DoesNotExist.
    values []string 3 | The values for In and NotIn.
    # Condition | One aspect of an object's state.
    type! string 1 | The aspect.
    status! enum(True,False,Unknown) 2 | Whether it holds.
    observedGeneration int64(0..) 3 | The generation of the object that this is about.
    lastTransitionTime! time 4 | When the status last changed.
    reason! string 5 | A word for why.
    message! string 6 | A sentence for people.
    # ListMeta | What every list has.
    selfLink string 1 | No longer used.
    resourceVersion string 2 | The version of the list as a whole.
    continue string 3 | A token to ask for the next page with.
    remainingItemCount int64 *4 | How many items follow, if known.
    # Status | The outcome of a request that returns no object.
    apiVersion string | v1
    kind string | Status
    metadata ListMeta 1 | The list's metadata.
    status string 2 | Success or Failure.
    message string 3 | A sentence for people.
    reason string 4 | A word for machines.
    details StatusDetails *5 | What it is about.
    code int 6 | The HTTP status code.
    # StatusDetails | What a status is about.
    name string 1 | The object's name.
    group string 2 | The object's group.
    kind string 3 | The object's kind or resource.
    uid string 6 | The object's uid.
    causes []StatusCause 4 | Fault by fault.
    retryAfterSeconds int 5 | How long to wait before trying again.
    # StatusCause | One fault.
    reason string 1 | A word for machines.
    message string 2 | A sentence for people.
    field string 3 | Where the fault is.
    # DeleteOptions | How to delete.
    apiVersion string | Group and version.
    kind string | DeleteOptions
    gracePeriodSeconds int64(0..) *1 | Seconds until the object goes; 0: at once.
    preconditions Preconditions *2 | What must hold for the deletion.
    orphanDependents bool *3 | No longer used; see propagationPolicy.
    propagationPolicy string *4 | Orphan, Background or Foreground.
    dryRun []string 5 | All: check everything, store nothing.
    ignoreStoreReadErrorWithClusterBreakingPotential bool *6 | Delete although the stored object cannot be read.
    # Preconditions | What must hold for a change.
    uid string *1 | The object's uid.
    resourceVersion string *2 | The object's version.
    """)
}
