"""The encoding of a file that the user did not name: found where it is certain, asked for where it is not."""
