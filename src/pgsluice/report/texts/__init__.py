"""Texts for people, each about one kind of result."""
