"""The door of a cluster: guards that the API server itself keeps, and the review of changes.

`guards` turns documents into roles and admission policies; `drift` compares them with what is
installed; `review` judges one AdmissionReview with the compiler's own readers; `server` is its HTTPS
edge; `audit` looks at a cluster for what is ungoverned. The first door, not the lock: the compiler
judges everything again. Talks to no API server.
"""
