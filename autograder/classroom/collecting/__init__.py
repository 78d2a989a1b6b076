"""Getting work in: what learning platforms export becomes the hand-ins of a class, and what was recorded about each."""
