"""How the book is built: always from nothing but the executed cells, with every warning an error."""
