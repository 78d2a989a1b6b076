"""What readers download: each chapter as a notebook of its own, and all problem sets in one file."""
