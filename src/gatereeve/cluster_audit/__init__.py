"""What is wrong with a cluster before, and beside, governance: `gatereeve audit-cluster`.

Objects as a cluster has them in, findings out. Model servers that can be reached without a policy
(`exposure`), settings of ingress-nginx that a migration would lose (`migration`), rights that
undo what governance promises (`grants`). Pure: no network, no Kubernetes client, no clock, and no
object is too odd to be looked at. Nothing here is enforced, and a finding never claims more than
the evidence that it names.
"""
