"""What counts as evidence of a model server, and for how much."""

from __future__ import annotations

import pytest

from gatereeve.cluster_audit import evidence
from gatereeve.cluster_audit.evidence import Confidence
from tests.support.audits import codes_of, findings_of


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("vllm/vllm-openai:v0.11.0", "vLLM"),
        ("registry.example.com:5000/mirror/vllm@sha256:ab", "vLLM"),
        ("nvcr.io/nvidia/tritonserver:25.01-py3", "Triton"),
        ("ollama/ollama", "Ollama"),
        ("ghcr.io/huggingface/text-generation-inference:3", "Text Generation Inference"),
        ("pytorch/torchserve:0.12.0-gpu", "TorchServe"),
        ("seldonio/mlserver:1.6.1", "Seldon"),
        ("rayproject/ray-ml:2.40", "Ray"),
        ("nginx:1.27", ""),
        ("example.com/shop:vllm-openai", ""),
        ("", ""),
        (":::@@", ""),
    ],
)
def test_images(image: str, server: str) -> None:
    assert evidence.find_server(image) == server


@pytest.mark.parametrize(
    ("path", "sure"),
    [
        ("/v1/chat/completions", Confidence.LIKELY),
        ("/v1/completions", Confidence.LIKELY),
        ("/v1/models/iris:predict", Confidence.LIKELY),
        ("/v2/models/iris/infer", Confidence.LIKELY),
        ("/v1/models", Confidence.POSSIBLE),
        ("/api/generate", Confidence.POSSIBLE),
        ("/invocations", Confidence.POSSIBLE),
        ("/", None),
        ("/v1/chats", None),
        ("/shop/v1/chat/completions", None),
    ],
)
def test_paths(path: str, sure: Confidence | None) -> None:
    found = evidence.check_path(path)
    assert [one.confidence for one in found[:1]] == ([] if sure is None else [sure])


@pytest.mark.parametrize("name", ["vllm", "my-vllm-2", "chat-llm", "ollama.web", "iris-predictor"])
def test_words_in_names_are_possible_only(name: str) -> None:
    assert [one.confidence for one in evidence.check_name(name)] == [Confidence.POSSIBLE]


@pytest.mark.parametrize("name", ["shop", "nimble", "vllmish", "alarm-bell", "inferences-of-x"])
def test_words_must_stand_alone(name: str) -> None:
    assert evidence.check_name(name) == ()


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: a}
spec: {type: LoadBalancer, selector: {app: x}, ports: [{port: 80}]}
---
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: x, namespace: %s}
spec: {template: {metadata: {labels: {app: x}}, spec: {containers: [{image: ollama/ollama}]}}}
"""


def test_a_workload_speaks_for_the_service_that_selects_it() -> None:
    assert codes_of(SERVICE + WORKLOAD % "a") == ["exposed-model-server"]


def test_a_workload_of_another_namespace_does_not() -> None:
    assert codes_of(SERVICE + WORKLOAD % "b") == []


def test_the_finding_names_its_evidence() -> None:
    (finding,) = findings_of(SERVICE + WORKLOAD % "a")
    assert "image ollama/ollama (Ollama) of Deployment a/x" in finding.message
    assert "likely" in finding.message
