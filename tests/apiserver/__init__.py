"""What only a real API server can show: CRDs, CEL, RBAC, admission, server-side apply, watches."""
