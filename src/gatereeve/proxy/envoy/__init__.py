"""IR to Envoy: pure functions, one message each, named after it.

`snapshots.build_snapshot` is the way in. A filter is one file in `filters`; their order stands in
one tuple there. Nothing here does I/O, reads a document or keeps state: equal gates give equal
bytes. Enforcement rests on stable extensions only (jwt_authn, composite with set_metadata and
header_to_metadata, rbac, local_ratelimit, buffer, router); what is alpha (set_filter_state) may
choose among routes, and what it chose is checked again by a stable filter.
"""
