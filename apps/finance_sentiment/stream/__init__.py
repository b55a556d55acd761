"""Items as they arrive: where they come from, what is a duplicate, and what has to outlive a crash."""
