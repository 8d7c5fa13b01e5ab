"""Quality: what is asked of the loaded rows as a set, after the last table and before the publish."""
