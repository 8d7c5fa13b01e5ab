"""How the texts of each column are rewritten: as the options say, or as the dates of the file require."""
