"""How values are written in files: names of months, and what a refused value probably is."""
