"""Commands that start over and look after servers: ``server`` and ``reset``."""
