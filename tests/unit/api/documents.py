"""Valid documents as text, for tests that bend them."""

from __future__ import annotations

DIGEST = "sha256:" + "0" * 64

GATE = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: gate}
spec:
  region: de
  https: {port: 8443}
"""

MODEL = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: lending}
spec:
  owner: corp/anna
  purpose: credit decisions
  riskClass: high
  protocol: kserve-v2
"""

VERSION = f"""\
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {{name: credit-v1, namespace: lending}}
spec:
  model: credit
  version: "1"
  author: corp/ben
  artifact: {{digest: "{DIGEST}"}}
  region: de
  endpoints: [{{address: 127.0.0.1, port: 9000}}]
"""

APPROVAL = f"""\
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: credit-v1-owner, namespace: lending}}
spec:
  subject: {{name: credit-v1, digest: "{DIGEST}"}}
  role: owner
  decision: approve
  approver: corp/anna
  expires: 2027-01-31T12:00:00Z
  reason: tested
"""

POLICY = """\
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: credit, namespace: lending}
spec:
  models: [credit]
  deny:
    - regions: [ru]
  allow:
    - subjects:
        - group: corp/underwriters
        - principal: corp/anna
      operations: [infer]
      limits:
        requests: {count: 100}
"""

ROLLOUT = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: credit, namespace: lending}
spec:
  model: credit
  match:
    - headers: {x-beta: "1"}
      version: "2"
  split:
    - {version: "1", weight: 10000}
"""

GRANT = """\
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: lending}
spec:
  namespaceSelector: {matchLabels: {team: lending}}
  hosts: [models.example.com, "*.lending.example.com"]
"""

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: lending}
data: {key: c2VjcmV0LXZhbHVlLTE=}
"""

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: credit, namespace: lending}
spec:
  ingressClassName: gatereeve
  rules:
    - host: models.example.com
      http:
        paths:
          - path: /credit
            pathType: Prefix
            backend:
              resource: {apiGroup: gatereeve.dev, kind: Model, name: credit}
status:
  loadBalancer: {}
"""

ALL = (GATE, MODEL, VERSION, APPROVAL, POLICY, ROLLOUT, GRANT, SECRET, INGRESS)
