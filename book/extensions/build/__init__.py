"""How the book is built: always afresh, reusing only executed cells, with every warning an error."""
