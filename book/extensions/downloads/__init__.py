"""What readers download: each chapter as a separate notebook, and all problem sets in one file."""
