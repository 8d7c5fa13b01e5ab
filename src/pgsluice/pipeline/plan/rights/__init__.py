"""Which rights a load needs, and which of them the role lacks: all at once, as GRANTs to copy."""
