"""How many keys ``pgsluice init`` finds in sets whose keys are known: ``make init-table``."""
