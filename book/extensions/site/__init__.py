"""The finished pages: how they look, how large they are, who can use them, and how the site is found."""
