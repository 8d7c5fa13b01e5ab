"""Where files are: paths, folders, archives, addresses, pipes; and their names for people."""
