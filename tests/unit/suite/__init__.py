"""The tooling of the suite itself."""
