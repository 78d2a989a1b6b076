"""A problem set as its author writes it, its bank of known answers, and the versions made from it."""
