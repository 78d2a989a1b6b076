"""The finished pages: how they look, what they weigh, who can use them, and how the site is found."""
