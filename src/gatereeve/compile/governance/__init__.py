"""Documents about models to one `ModelPolicy` per model: versions, access, identity, residency, approvals."""
