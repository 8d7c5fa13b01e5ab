"""What readers see at the end: shadow tables, their swap, and sequences."""
