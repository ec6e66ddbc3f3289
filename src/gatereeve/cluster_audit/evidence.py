"""Evidence that a workload or Service is a model server, with its confidence.

`LIKELY`: made for model serving (an image, a label of a serving platform, a path of an inference API).
`POSSIBLE`: also used by other software (a port, a word in a name). Only governed documents are `CERTAIN`
(`governance`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit.labels import pod_of


class Confidence(IntEnum):
    """How certain it is that a model is served."""

    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """One observation. Several weak ones stay weak, because they are not independent."""

    confidence: Confidence
    what: str


IMAGES: tuple[tuple[str, str], ...] = (
    (r"vllm/vllm-|/vllm(-openai|-cpu|-rocm)?$", "vLLM"),
    (r"text-generation-inference", "Text Generation Inference"),
    (r"text-embeddings-inference", "Text Embeddings Inference"),
    (r"tritonserver", "Triton"),
    (r"nvcr\.io/nim/", "NVIDIA NIM"),
    (r"ollama/ollama|/ollama$", "Ollama"),
    (r"torchserve", "TorchServe"),
    (r"tensorflow/serving|tensorflow-serving", "TensorFlow Serving"),
    (r"seldonio/|mlserver", "Seldon"),
    (r"kserve/", "KServe"),
    (r"bentoml|yatai", "BentoML"),
    (r"rayproject/ray", "Ray"),
    (r"sglang", "SGLang"),
    (r"llama\.cpp|llama-cpp|llamafile", "llama.cpp"),
    (r"local-?ai", "LocalAI"),
    (r"litellm", "LiteLLM"),
    (r"openvino/model_server|openvino-model-server", "OpenVINO Model Server"),
    (r"mlflow", "MLflow"),
    (r"lmdeploy", "LMDeploy"),
    (r"predibase/lorax", "LoRAX"),
    (r"xinference", "Xinference"),
    (r"djl-serving|deepjavalibrary", "DJL Serving"),
    (r"onnxruntime.*server", "ONNX Runtime server"),
    (r"tabbyml/tabby", "Tabby"),
    (r"aibrix|llm-d", "llm-d or AIBrix"),
)
"""Patterns of image repositories (without tag and digest), and the server."""

LABELS: tuple[tuple[str, str], ...] = (
    ("serving.kserve.io/", "KServe"),
    ("seldon-deployment-id", "Seldon"),
    ("seldon-app", "Seldon"),
    ("mlops.seldon.io/", "Seldon"),
    ("ray.io/serve", "Ray Serve"),
    ("yatai.ai/bento-deployment", "BentoML"),
    ("yatai.ai/bento-repository", "BentoML"),
    ("llm-d.ai/", "llm-d"),
    ("model.aibrix.ai/", "AIBrix"),
    ("modelserving.gpustack.ai/", "GPUStack"),
    ("leaderworkerset.sigs.k8s.io/name", "LeaderWorkerSet"),
)
"""Prefixes of labels and annotations that serving platforms set."""

_WEAK_LABELS = frozenset({"LeaderWorkerSet"})

NAMED = (
    r"vllm|triton(-?inference)?(-?server)?|ollama|torchserve|tensorflow-serving|mlflow|bentoml|"
    r"sglang|litellm|tgi|kserve|seldon(-core)?|nim|mlserver|llm|inference|predictor|embeddings?"
)
"""Words in names and in app.kubernetes.io/name that suggest a model server."""

PORTS: tuple[tuple[int, str], ...] = (
    (11434, "Ollama"),
    (8500, "TensorFlow Serving (gRPC)"),
    (8501, "TensorFlow Serving (REST)"),
    (30000, "SGLang"),
    (7070, "TorchServe (gRPC)"),
    (9081, "MLServer (gRPC)"),
)
"""Default ports that little other software uses; 8000, 8001, 8080 and 3000 are too common."""

PATHS: tuple[tuple[str, str, Confidence], ...] = (
    (r"^/v1/(chat/)?completions", "OpenAI API", Confidence.LIKELY),
    (r"^/v1/(embeddings|responses|audio/|images/generations|moderations)", "OpenAI API", Confidence.LIKELY),
    (r"^/v1/models/[^/]+:(predict|explain|classify|regress)", "KServe or TensorFlow API", Confidence.LIKELY),
    (r"^/v2/models(/|$)", "Open Inference Protocol", Confidence.LIKELY),
    (r"^/v1/models(/|$)", "model listing", Confidence.POSSIBLE),
    (r"^/v2/health/(live|ready)", "Open Inference Protocol", Confidence.POSSIBLE),
    (r"^/generate(_stream)?$", "Text Generation Inference", Confidence.POSSIBLE),
    (r"^/api/(generate|chat|embeddings)$", "Ollama API", Confidence.POSSIBLE),
    (r"^/(invocations|predictions)(/|$)", "prediction API", Confidence.POSSIBLE),
    (r"^/seldon/", "Seldon", Confidence.LIKELY),
)  # fmt: skip
"""Paths of inference APIs."""

_IMAGES = tuple((re.compile(pattern), server) for pattern, server in IMAGES)
_PATHS = tuple((re.compile(pattern), server, sure) for pattern, server, sure in PATHS)
_NAMED = re.compile(rf"(?:^|[-._])(?:{NAMED})(?:$|[-._0-9])")
_PORTS = dict(PORTS)


def collect_from_workload(doc: RawDoc) -> tuple[Evidence, ...]:
    """Return the evidence in the pods of a workload: images, labels, annotations and ports."""
    pod = pod_of(doc)
    evidence = [*_check_metadata(plain.get(pod, "metadata"), str(doc.ref))]
    for container in plain.sequence(plain.get(pod, "spec", "containers")):
        image = plain.text(plain.get(container, "image"))[:512]
        server = find_server(image)
        if server:
            evidence.append(
                Evidence(Confidence.LIKELY, f"image {image[:120]} ({server}) of {doc.ref}")
            )
        for port in plain.sequence(plain.get(container, "ports")):
            evidence += _check_port(plain.get(port, "containerPort"), str(doc.ref))
    return tuple(evidence)


def collect_from_service(doc: RawDoc) -> tuple[Evidence, ...]:
    """Return the evidence on a Service itself: labels, annotations, ports and name."""
    evidence = [*_check_metadata(doc.spec.get("metadata"), str(doc.ref)), *check_name(doc.ref.name)]
    for port in plain.sequence(plain.get(doc.spec, "spec", "ports")):
        evidence += _check_port(plain.get(port, "port"), str(doc.ref))
        evidence += _check_port(plain.get(port, "targetPort"), str(doc.ref))
    return tuple(evidence)


def check_name(name: str) -> tuple[Evidence, ...]:
    """Return the evidence in a name, which is at most possible."""
    if _NAMED.search(name):
        return (Evidence(Confidence.POSSIBLE, f"the name {name[:80]}"),)
    return ()


def check_path(path: str) -> tuple[Evidence, ...]:
    """Return the evidence in a routed path."""
    return tuple(
        Evidence(sure, f"the path {path[:80]} ({server})")
        for pattern, server, sure in _PATHS
        if pattern.search(path)
    )


def find_server(image: str) -> str:
    """Return the model server in an image, or ""; tag and digest are ignored."""
    repository = image.partition("@")[0]
    head, _, last = repository.rpartition("/")
    repository = f"{head}/{last.partition(':')[0]}".lower()
    return next((server for pattern, server in _IMAGES if pattern.search(repository)), "")


def _check_metadata(metadata: object, whose: str) -> list[Evidence]:
    evidence = []
    body = metadata if isinstance(metadata, dict) else {}
    labels = {**plain.texts(body.get("annotations")), **plain.texts(body.get("labels"))}
    for key in sorted(labels):
        for prefix, server in LABELS:
            if key.startswith(prefix):
                confidence = Confidence.POSSIBLE if server in _WEAK_LABELS else Confidence.LIKELY
                evidence.append(Evidence(confidence, f"{key[:80]} ({server}) on {whose}"))
    app = labels.get("app.kubernetes.io/name", "")
    if _NAMED.search(app):
        evidence.append(
            Evidence(Confidence.POSSIBLE, f"app.kubernetes.io/name {app[:80]} on {whose}")
        )
    return evidence


def _check_port(number: object, whose: str) -> list[Evidence]:
    server = _PORTS.get(number) if isinstance(number, int) else None
    return [Evidence(Confidence.POSSIBLE, f"port {number} ({server}) of {whose}")] if server else []
