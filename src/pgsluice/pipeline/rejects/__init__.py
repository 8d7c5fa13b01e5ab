"""The report of rejects, and the replay of corrected rejects."""
