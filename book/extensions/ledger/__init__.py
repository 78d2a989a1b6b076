"""The ledger: every labelled result of the book is checked before a page is read, and a table lists the checks."""
