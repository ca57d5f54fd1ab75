// Marks the place of room RegistryClient.
