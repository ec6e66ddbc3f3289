"""The call-out server: the gate asks a question over gRPC, this process answers it.

One small HTTP/2 server for local peers (Envoy's ext_authz, ext_proc, rate limit clients), on private
Unix sockets, one gRPC service for each socket. It knows frames and length-prefixed messages; it does
not know protobuf: handlers receive and return bytes.

    service      what a handler receives and returns: start here
    server       sockets, event loop, batches, drain
    connection   one HTTP/2 connection, without I/O
    sending      answers as frames, within the peer's windows
    streams      one call on a connection: what was received, what waits for the send window
    fields       header blocks (HPACK) and the request line of a gRPC call
    frames       bytes of frames
    limits       every limit, with its default

Sources: RFC 9113 (HTTP/2), RFC 7541 (HPACK), gRPC over HTTP2 (PROTOCOL-HTTP2.md).
Why no library: docs/decisions/0091-a-call-out-server-of-our-own.md.
"""
