"""What a user will want next, from what he did and from the items' texts."""
