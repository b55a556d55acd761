"""The applications: thin modules over the shared core."""
