"""What an author does: prove a set, try mutants, search for leaks, write the handout."""
