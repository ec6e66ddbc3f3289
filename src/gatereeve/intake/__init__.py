"""What the gates report, turned into typed records.

A thin gRPC edge and pure translation; it stores nothing itself.
"""
