"""The proof of a problem set: known answers get exactly the points they should; what that depends on is recorded."""
