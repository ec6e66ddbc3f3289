"""The delta-ADS server: hands each gate its own configuration, and knows what each gate accepted.

The way of one change: `server.AdsServer.set_snapshot` → `gate.GateState` (what to serve: the
snapshot, with the last good form of what a gate rejected) → one `session.Session` per stream
(what that gate holds, in which order to bring it there) → `events` (acknowledged, rejected,
settled). `snapshot` holds the data, `peers` who may read it.

Pure except for `server`: gate and session do no I/O and read no clock, so every order of messages
can be played in a unit test. Nothing here knows the IR or what the resources mean, apart from the
names one resource needs of another (`snapshot.needs_of`).

Specification: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol, the incremental
variant; state of the world is refused.
"""
