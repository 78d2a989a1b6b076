"""The forms in which grades leave: a module for each platform that reads them."""
