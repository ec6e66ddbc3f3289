"""The lending example: a credit model and a chat model, governed by one gate on this machine.

`models` trains and serves, `documents` says what is allowed, `prepare` fills in ports, keys and
digests, `story` walks through it with real requests. Start with README.md, or run `make demo`.
"""
