"""What files are packed in, known by their first bytes: compression, archives, workbooks, Parquet, JSON Lines."""
