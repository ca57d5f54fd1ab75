// Marks the place.
