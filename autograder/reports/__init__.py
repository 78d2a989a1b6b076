"""What goes out: feedback, the report on a class, grades for platforms."""
