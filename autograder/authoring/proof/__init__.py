"""The proof of a problem set: its known answers get exactly the points they should, and what that follows from is recorded."""
