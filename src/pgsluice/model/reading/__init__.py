"""How files are read, as values."""
