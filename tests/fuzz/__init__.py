"""Coverage-guided fuzzing of discovery, dialects and records: ``make fuzz MINUTES=30``."""
