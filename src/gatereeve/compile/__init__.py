"""World to IR: passes and checks; and the reference decision over the IR.

Pure: no I/O, no clock, no chance. The same World gives the same bytes on every replica. What a user
wrote wrongly becomes a finding, never an exception.
"""
