"""The ledger: checks every labelled result of the book before a page is read, and lists the checks in a table."""
