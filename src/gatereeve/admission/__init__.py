"""Admission: the guards of a cluster, and the webhook that reviews changes.

`guards` makes roles and admission policies from documents. `guard_drift` compares them with the
installed ones. `review` checks one AdmissionReview with the compiler, and `server` serves it over HTTPS.
The compiler checks everything again. Nothing here talks to the API server.
"""
