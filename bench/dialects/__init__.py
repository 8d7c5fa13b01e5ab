"""Annotated files of many dialects, and how often each sniffer finds the dialect."""
