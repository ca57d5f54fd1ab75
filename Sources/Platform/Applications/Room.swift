// Applications
