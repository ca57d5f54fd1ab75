// Marks the place of room LazyImages.
