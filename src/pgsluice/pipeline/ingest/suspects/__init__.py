"""Which rows of a block may break a constraint, so that they are held out of a frozen COPY."""
