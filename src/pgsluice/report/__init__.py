"""What people see: plans, results and progress, on a terminal or as plain text."""
