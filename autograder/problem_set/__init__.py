"""A problem set as its author writes it, and the versions that follow from it."""
