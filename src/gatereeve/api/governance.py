"""The documents of governance in one module: each is defined in the module of its subject."""

from gatereeve.api.access_policies import (
    OPERATIONS,
    AccessPolicySpec,
    AllowRule,
    Conditions,
    DenyRule,
    Operation,
    Subject,
)
from gatereeve.api.host_grants import AddressGrant, HostGrantSpec, LabelSelector
from gatereeve.api.models import ApprovalSpec, BreakGlass, ModelSpec, ModelVersionSpec, Protocol
from gatereeve.api.rollouts import RolloutSpec

__all__ = [
    "OPERATIONS",
    "AccessPolicySpec",
    "AddressGrant",
    "AllowRule",
    "ApprovalSpec",
    "BreakGlass",
    "Conditions",
    "DenyRule",
    "HostGrantSpec",
    "LabelSelector",
    "ModelSpec",
    "ModelVersionSpec",
    "Operation",
    "Protocol",
    "RolloutSpec",
    "Subject",
]
