"""A live viewer in the browser."""
