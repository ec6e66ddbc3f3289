"""The suites with the wall clock years ahead and behind: `shift.c` moves it, `shifted.py` runs them."""
