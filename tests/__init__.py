"""The test suites; see docs/contributing/testing.md for what each pins."""
