"""The report on a class: one page over the term, its figures, and the table beside each."""
