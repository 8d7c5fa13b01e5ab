"""The dialect of a file whose table is known: found again with what the table says, or an error with candidates."""
