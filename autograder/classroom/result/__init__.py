"""What decides the result of a submission, beside the engine: the notebook that is graded, and what it is taken for."""
