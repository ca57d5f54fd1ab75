extension SchemaTable {
  static let authentication = SchemaTable(
    "io.k8s.api.authentication.v1",
    """
    # SelfSubjectReview : - SelfSubjectReviewStatus | Who am I?
    # SelfSubjectReviewStatus | Who asked.
    userInfo UserInfo 1 | The user.
    # UserInfo | A user.
    username string 1 | Its name.
    uid string 2 | Its number.
    groups []string 3 | Its groups.
    extra {}[]string 4 | What else is known.
    # TokenReview : TokenReviewSpec TokenReviewStatus | Whose is this token?
    # TokenReviewSpec | The token.
    token string 1 | The token.
    audiences []string 2 | Who it should be for.
    # TokenReviewStatus | Whose it is.
    authenticated bool 1 | It is good.
    user UserInfo 2 | The user.
    audiences []string 4 | Who it is for.
    error string 3 | Why it is not good.
    # TokenRequest : TokenRequestSpec TokenRequestStatus | A token of a service account.
    # TokenRequestSpec | What token.
    audiences! []string 1 | Who it is for.
    expirationSeconds int64 *4 | How long it is good.
    boundObjectRef BoundObjectReference *3 | It ends with this object.
    # TokenRequestStatus | The token.
    token! string 1 | The token.
    expirationTimestamp! time 2 | Until when it is good.
    # BoundObjectReference | An object.
    kind string 1 | Its kind.
    apiVersion string 2 | Its group and version.
    name string 3 | Its name.
    uid string 4 | Its uid.
    """)

  static let authorization = SchemaTable(
    "io.k8s.api.authorization.v1",
    """
    # SelfSubjectAccessReview : SelfSubjectAccessReviewSpec SubjectAccessReviewStatus | May I?
    # SelfSubjectAccessReviewSpec | What.
    resourceAttributes ResourceAttributes *1 | Something with a resource.
    nonResourceAttributes NonResourceAttributes *2 | Something with a path.
    # SubjectAccessReview : SubjectAccessReviewSpec SubjectAccessReviewStatus | May somebody?
    # LocalSubjectAccessReview : SubjectAccessReviewSpec SubjectAccessReviewStatus | May somebody, in this namespace?
    # SubjectAccessReviewSpec | Who, and what.
    resourceAttributes ResourceAttributes *1 | Something with a resource.
    nonResourceAttributes NonResourceAttributes *2 | Something with a path.
    user string 3 | The user.
    groups []string 4 | The user's groups.
    extra {}[]string 5 | What else is known of the user.
    uid string 6 | The user's number.
    # SubjectAccessReviewStatus | The answer.
    allowed! bool 1 | Yes.
    denied bool 4 | No, whatever others say.
    reason string 2 | Why.
    evaluationError string 3 | What went wrong.
    # ResourceAttributes | Something with a resource.
    namespace string 1 | The namespace; all if empty.
    verb string 2 | get, list and so on.
    group string 3 | The group.
    version string 4 | The version.
    resource string 5 | The resource.
    subresource string 6 | The subresource.
    name string 7 | The object; all if empty.
    fieldSelector FieldSelectorAttributes *8 | Only objects with these fields.
    labelSelector LabelSelectorAttributes *9 | Only objects with these labels.
    # FieldSelectorAttributes | Fields.
    rawSelector string 1 | As a query.
    requirements []meta.FieldSelectorRequirement 2 | One by one.
    # LabelSelectorAttributes | Labels.
    rawSelector string 1 | As a query.
    requirements []meta.LabelSelectorRequirement 2 | One by one.
    # NonResourceAttributes | Something with a path.
    path string 1 | The path.
    verb string 2 | The verb.
    # SelfSubjectRulesReview : SelfSubjectRulesReviewSpec SubjectRulesReviewStatus | What may I?
    # SelfSubjectRulesReviewSpec | Where.
    namespace string 1 | The namespace.
    # SubjectRulesReviewStatus | The answer.
    resourceRules! []ResourceRule 1 | With resources.
    nonResourceRules! []NonResourceRule 2 | With paths.
    incomplete! bool 3 | There may be more.
    evaluationError string 4 | What went wrong.
    # ResourceRule | Verbs on resources.
    verbs! []string 1 | The verbs.
    apiGroups []string 2 | The groups.
    resources []string 3 | The resources.
    resourceNames []string 4 | Only objects of these names.
    # NonResourceRule | Verbs on paths.
    verbs! []string 1 | The verbs.
    nonResourceURLs []string 2 | The paths.
    """)
}
