"""`make attacks`: thousands of hostile and broken inputs against the real gate. See `__main__`."""
