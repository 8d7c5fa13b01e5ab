"""What the values of a column have in common, and the type that follows."""
