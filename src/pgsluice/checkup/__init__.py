"""``pgsluice doctor``: whether a load works here, how fast, and what to change."""
