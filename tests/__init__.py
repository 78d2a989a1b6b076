"""The checks of the course; each folder mirrors a room of the package, or names another part of the course."""
