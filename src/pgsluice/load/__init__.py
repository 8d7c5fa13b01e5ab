"""The load itself: stages, judges, builds, publishes, and keeps the books in schema ``pgsluice``."""
