"""Rejects in spreadsheets: records as cells, what programs make of the cells, and the files that people give back."""
