"""The situations of docs/explanation/files.md: tiny files of the kinds that people have, and what is right for each."""
