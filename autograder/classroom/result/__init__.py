"""What decides a result apart from the engine: which notebook is graded, and how its mistakes are diagnosed."""
