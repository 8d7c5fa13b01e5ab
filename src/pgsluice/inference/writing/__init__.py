"""The two files that ``pgsluice init`` writes."""
