extension SchemaTable {
  static let authentication = SchemaTable(
    "io.k8s.api.authentication.v1",
    """
    # SelfSubjectReview : - SelfSubjectReviewStatus | Who am I?
    # SelfSubjectReviewStatus | Who asked.
    userInfo UserInfo | The user.
    # UserInfo | A user.
    username string | Its name.
    uid string | Its number.
    groups []string | Its groups.
    extra {}[]string | What else is known.
    # TokenReview : TokenReviewSpec TokenReviewStatus | Whose is this token?
    # TokenReviewSpec | The token.
    token string | The token.
    audiences []string | Who it should be for.
    # TokenReviewStatus | Whose it is.
    authenticated bool | It is good.
    user UserInfo | The user.
    audiences []string | Who it is for.
    error string | Why it is not good.
    # TokenRequest : TokenRequestSpec TokenRequestStatus | A token of a service account.
    # TokenRequestSpec | What token.
    audiences! []string | Who it is for.
    expirationSeconds int64 | How long it is good.
    boundObjectRef BoundObjectReference | It ends with this object.
    # TokenRequestStatus | The token.
    token! string | The token.
    expirationTimestamp! time | Until when it is good.
    # BoundObjectReference | An object.
    kind string | Its kind.
    apiVersion string | Its group and version.
    name string | Its name.
    uid string | Its uid.
    """)

  static let authorization = SchemaTable(
    "io.k8s.api.authorization.v1",
    """
    # SelfSubjectAccessReview : SelfSubjectAccessReviewSpec SubjectAccessReviewStatus | May I?
    # SelfSubjectAccessReviewSpec | What.
    resourceAttributes ResourceAttributes | Something with a resource.
    nonResourceAttributes NonResourceAttributes | Something with a path.
    # SubjectAccessReview : SubjectAccessReviewSpec SubjectAccessReviewStatus | May somebody?
    # LocalSubjectAccessReview : SubjectAccessReviewSpec SubjectAccessReviewStatus | May somebody, in this namespace?
    # SubjectAccessReviewSpec | Who, and what.
    resourceAttributes ResourceAttributes | Something with a resource.
    nonResourceAttributes NonResourceAttributes | Something with a path.
    user string | The user.
    groups []string | The user's groups.
    extra {}[]string | What else is known of the user.
    uid string | The user's number.
    # SubjectAccessReviewStatus | The answer.
    allowed! bool | Yes.
    denied bool | No, whatever others say.
    reason string | Why.
    evaluationError string | What went wrong.
    # ResourceAttributes | Something with a resource.
    namespace string | The namespace; all if empty.
    verb string | get, list and so on.
    group string | The group.
    version string | The version.
    resource string | The resource.
    subresource string | The subresource.
    name string | The object; all if empty.
    fieldSelector FieldSelectorAttributes | Only objects with these fields.
    labelSelector LabelSelectorAttributes | Only objects with these labels.
    # FieldSelectorAttributes | Fields.
    rawSelector string | As a query.
    requirements []meta.FieldSelectorRequirement | One by one.
    # LabelSelectorAttributes | Labels.
    rawSelector string | As a query.
    requirements []meta.LabelSelectorRequirement | One by one.
    # NonResourceAttributes | Something with a path.
    path string | The path.
    verb string | The verb.
    # SelfSubjectRulesReview : SelfSubjectRulesReviewSpec SubjectRulesReviewStatus | What may I?
    # SelfSubjectRulesReviewSpec | Where.
    namespace string | The namespace.
    # SubjectRulesReviewStatus | The answer.
    resourceRules! []ResourceRule | With resources.
    nonResourceRules! []NonResourceRule | With paths.
    incomplete! bool | There may be more.
    evaluationError string | What went wrong.
    # ResourceRule | Verbs on resources.
    verbs! []string | The verbs.
    apiGroups []string | The groups.
    resources []string | The resources.
    resourceNames []string | Only objects of these names.
    # NonResourceRule | Verbs on paths.
    verbs! []string | The verbs.
    nonResourceURLs []string | The paths.
    """)
}
