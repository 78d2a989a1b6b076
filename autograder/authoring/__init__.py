"""What an author does: prove a set, try mutants, look for leaks, write the handout."""
