"""What learning platforms write into the names of the files that they export: one module a platform."""
