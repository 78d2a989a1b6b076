"""Code that both sides of the wire import: limits and isolation, frames, expressions."""
