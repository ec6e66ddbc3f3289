# A thin front door: no logic here, every line is a command one can type.
.PHONY: help setup demo test test-clocks check envtest cluster cluster-smoke cluster-test conformance cluster-down image differential withdrawals attacks fuzz bench golden generate format lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL := -n $(or $(WORKERS),3) --dist loadgroup --no-loadscope-reorder

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: $(STAMP) ## install everything that is locked into .venv

$(STAMP): requirements.lock requirements-data.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.9,<1"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-data.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $(STAMP)

demo: setup ## the whole story on this machine; KEEP=1 leaves it running
	$(BIN)/python -m examples.lending.story $(if $(KEEP),--keep)

test: setup ## all tests that need no API server and no cluster; WORKERS=n
	$(BIN)/python -m pytest $(PARALLEL) -m "not apiserver and not cluster"

test-clocks: setup ## the suites that judge by time, with the clock years ahead and years behind
	$(BIN)/python -m tests.clocks.shifted

check: setup ## format, lint, types, layer contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

envtest: setup ## real etcd and kube-apiserver (built once), and the tests against them
	$(BIN)/python -m tests.cluster.tools envtest
	$(BIN)/python -m pytest tests/apiserver

cluster: setup ## a whole Kubernetes with real pods on this machine (root); kubeconfig in build/cluster
	$(BIN)/python -m tests.cluster.cluster up

cluster-smoke: cluster image ## our chart and image on that Kubernetes: served, refused, guarded, some losses
	$(BIN)/python -m pytest tests/cluster -m "not slow"

cluster-test: cluster image ## the loss and the change of every part under load; report in build/cluster.json
	$(BIN)/python -m pytest tests/cluster -m slow -s

conformance: cluster image ## Gateway API's own suite on that Kubernetes; report in build/conformance.yaml
	$(BIN)/python -m tests.cluster.conformance

cluster-down: setup ## end it; nothing of it is left
	$(BIN)/python -m tests.cluster.cluster down

image: setup ## our container image, without a registry, as build/image/gatereeve.tar
	$(BIN)/python -m tests.cluster.own_image

differential: setup ## reference decision against the real Envoy; N cases (default 10000)
	GATEREEVE_DIFFERENTIAL_CASES=$(or $(N),10000) GATEREEVE_DIFFERENTIAL_SEED=$(or $(SEED),random) $(BIN)/python -m pytest tests/differential -q

withdrawals: setup ## no request is answered by older rules once a gate is current; N withdrawals (default 10000)
	GATEREEVE_WITHDRAWALS=$(or $(N),10000) $(BIN)/python -m pytest tests/envoy/test_withdrawals.py -q -k no_host
	@cat build/withdrawals.json

attacks: setup ## hostile and broken inputs against the real gate; ONLY=id, SEED=n; build/attacks.json
	$(BIN)/python -m tests.attacks $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

fuzz: setup ## frames of broken clients at the call-out server; N inputs (default 1000000), SEED=n
	$(BIN)/python -m tests.fuzz.callout N=$(or $(N),1000000) $(if $(SEED),SEED=$(SEED))

bench: setup ## every figure, a table and build/bench.json
	$(BIN)/python -m bench

golden: setup ## rewrite the golden files; read the diff before you commit it
	$(BIN)/python -m pytest tests/golden --update-golden

generate: setup ## CRDs and the generated reference pages
	$(BIN)/python -m docs.generate

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## renew requirements.lock and requirements-runtime.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --group demo --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements-runtime.lock

clean:
	rm -rf $(VENV) build .gatereeve
