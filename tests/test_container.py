"""The images, built and run by a real engine: size, lock-down, limits, cold start, shutdown.

The sizes count against the budgets of the README, the base image included where it says so.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from packaging.markers import Marker

import function
from supply.locks import IMAGES, canonical, pins
from supply.sbom import OCI, describe, look_into, render
from tests.conftest import ROOT, clean_environ
from tests.containers import LOCKED_DOWN, Container, Engine, first_prediction
from tests.fronts import front, write_certificate
from tests.processes import free_port, start_process
from tests.registry import NAME, Registry, build_registry
from tests.test_tokens import AUDIENCE, ISSUER, KEY_SET, token
from tests.traffic import Traffic

ENGINE = Engine.find()
pytestmark = [
    pytest.mark.container,
    pytest.mark.slow,
    pytest.mark.skipif(ENGINE is None, reason="no container engine: neither podman nor docker"),
]
BASE = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
SECRETS = {
    "uri": "hush-in-the-uri",
    "username": "hush-the-user",
    "password": "hush-the-password",
    "env": "hush-in-the-env",
}
HEAVY = {"mlflow", "sklearn", "pandas", "numpy", "scipy", "skops", "joblib"}
ARBITRARY_USER = "--user=1000730000:0"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine, and in dist/ the wheels that images take the C code from."""
    assert ENGINE is not None
    subprocess.run(["make", "wheel"], cwd=ROOT, check=True, capture_output=True)
    yield ENGINE
    for name in list(ENGINE.started):
        ENGINE.run_command("rm", "--force", name)


@pytest.fixture(scope="session")
def registry_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A real ``mlflow server`` on loopback, artifacts through its proxy, with real models."""
    folder, port = tmp_path_factory.mktemp("container-registry"), free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}"),
        *(f"--backend-store-uri=sqlite:///{folder}/mlflow.db", "--workers=1"),
        f"--artifacts-destination={folder}/artifacts",
    ]
    server = start_process(command, folder, clean_environ(), port, folder)
    yield build_registry(server.url, None)
    server.stop()


@pytest.fixture(scope="session")
def build_secrets(registry_server: Registry, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build options that hand over the registry's address and credentials as secrets."""
    folder = tmp_path_factory.mktemp("secrets")
    address = registry_server.tracking_uri.replace("//", f"//someone:{SECRETS['uri']}@")
    contents = {
        "mlflow_tracking_uri": address,
        "mlflow_tracking_username": SECRETS["username"],
        "mlflow_tracking_password": SECRETS["password"],
        "mlflow_env": f"AWS_SECRET_ACCESS_KEY='{SECRETS['env']}'\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    return [f"--secret=id={name},src={folder / name}" for name in contents]


@pytest.fixture(scope="session")
def compiled(engine: Engine, build_secrets: list[str]) -> str:
    """The tag of the compiled image, labelled as ``make image-compiled`` does."""
    tag = "sentiment-test-compiled:latest"
    arguments = [
        f"--build-arg=MODEL_URI=models:/{NAME}/2",
        f"--build-arg=COMPILED_AT={time.time()}",
    ]
    ended = engine.build(tag, "--target=compiled", *arguments, *build_secrets)
    log = ended.stdout + ended.stderr
    assert ended.returncode == 0, log
    assert not any(secret in log for secret in SECRETS.values())
    label = engine.output_of(tag, "python", "-m", "function.labels")
    engine.run_command(
        "build", f"--tag={tag}", "-", input=f"FROM {local(engine, tag)}\n{label}", check=True
    )
    return tag


@pytest.fixture(scope="session")
def served(engine: Engine) -> str:
    """The tag of the registry image, the default target."""
    tag = "sentiment-test-registry:latest"
    ended = engine.build(tag, "--build-arg=EXTRA_REQUIREMENTS=emoji==2.15.0")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return tag


@pytest.fixture(scope="session")
def slim(engine: Engine) -> str:
    """The tag of the image that serves what is published."""
    tag = "sentiment-test-slim:latest"
    ended = engine.build(tag, "--target=slim")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return tag


@pytest.fixture(scope="session")
def slim_with_extras(engine: Engine) -> str:
    """The tag of the slim image with what AUTH=jwt takes, which is locked."""
    tag = "sentiment-test-extras:latest"
    ended = engine.build(tag, "--target=slim", "--build-arg=EXTRA_REQUIREMENTS=PyJWT[crypto]")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return tag


@pytest.fixture(scope="session")
def published(registry_server: Registry) -> dict[str, str]:
    """What a container is told of a model that is published in the registry."""
    uri = registered(registry_server, "published")
    function.publish(uri)
    return {"MLFLOW_TRACKING_URI": registry_server.tracking_uri, "MODEL_URI": uri}


@pytest.fixture(params=["compiled", "served", "slim"])
def image(request: pytest.FixtureRequest) -> str:
    """Each image in turn."""
    tag: str = request.getfixturevalue(request.param)
    return tag


@pytest.fixture
def start(engine: Engine) -> Iterator[Callable[..., Container]]:
    """Start containers that are removed after the test."""
    started: list[Container] = []

    def run(image: str, *options: str, **more: Any) -> Container:
        started.append(engine.start(image, *options, **more))
        return started[-1]

    yield run
    for container in started:
        if container.name in engine.started:
            engine.remove(container)


def local(engine: Engine, tag: str) -> str:
    """The name of an image of this machine, which podman would else look for in registries."""
    return f"localhost/{tag}" if engine.is_podman else tag


def nothing_writable(engine: Engine) -> list[str]:
    """podman mounts a writable /tmp into a read-only container unless told otherwise."""
    return [*LOCKED_DOWN, *(["--read-only-tmpfs=false"] if engine.is_podman else [])]


def from_registry(registry: Registry) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": registry.tracking_uri, "MODEL_URI": f"models:/{NAME}@champion"}


def registered(registry: Registry, name: str) -> str:
    """The registry's model under a name that has no tags yet; how an alias names it."""
    client = MlflowClient(registry.tracking_uri)
    client.create_registered_model(name)
    source = f"models:/{registry.model_id}"
    client.create_model_version(name, source, registry.run_id, model_id=registry.model_id)
    client.set_registered_model_alias(name, "champion", "1")
    return f"models:/{name}@champion"


def predict(container: Container) -> Any:
    reply = container.server.request("/predict", {"text": "Absolutely wonderful, I love it"})
    assert reply.status == 200, reply.body
    return reply.json


def test_compiled_adds_at_most_20_mb_to_its_base(engine: Engine, compiled: str) -> None:
    whole, base = engine.compressed_megabytes(compiled), engine.compressed_megabytes(BASE)
    print(f"compiled: {whole:.1f} MB compressed, {whole - base:.1f} MB over its base")
    assert whole - base <= 20


def test_slim_adds_at_most_8_mb_to_its_base(engine: Engine, slim: str) -> None:
    whole, base = engine.compressed_megabytes(slim), engine.compressed_megabytes(BASE)
    print(f"slim: {whole:.1f} MB compressed, {whole - base:.1f} MB over its base")
    assert whole - base <= 8


def test_registry_is_at_most_150_mb(engine: Engine, served: str) -> None:
    whole, base = engine.compressed_megabytes(served), engine.compressed_megabytes(BASE)
    print(f"registry: {whole:.1f} MB compressed, {whole - base:.1f} MB over its base")
    assert whole <= 150


def test_images_say_how_they_start_and_as_whom(engine: Engine, image: str) -> None:
    config = engine.inspect(image)["Config"]
    assert config["User"] == "65532:65532"
    bundled, module = ["-I", "-S", "/app/serve.pyc"], ["-m", "function.serve"]
    assert config["Cmd"] == ["python", *(module if "registry" in image else bundled)]
    assert not config.get("Entrypoint") and not config.get("Healthcheck")
    assert list(config["ExposedPorts"]) == ["8080/tcp"]


def test_the_labels_carry_the_models_lineage(
    engine: Engine, compiled: str, registry_server: Registry, start: Callable[..., Container]
) -> None:
    labels = engine.inspect(compiled)["Config"]["Labels"]
    assert labels["org.mlflow.model.name"] == NAME
    assert labels["org.mlflow.model.version"] == "2"
    assert labels["org.mlflow.model.run-id"] == registry_server.run_id
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    container = start(compiled).wait_until_answering()
    info = container.server.request("/models/info").json
    assert labels["org.mlflow.model.digest"] == info["digest"]


def test_secrets_leave_no_trace(
    engine: Engine, compiled: str, registry_server: Registry, tmp_path: Path
) -> None:
    needles = [*SECRETS.values(), "someone:"]
    manifest_seen = False  # else the layers are packed in a way that hides secrets from this test
    for name, content in engine.files(compiled, tmp_path):
        for needle in needles:
            assert needle.encode() not in content, f"{needle} is in {name}"
        manifest_seen |= registry_server.run_id.encode() in content
    history = engine.run_command("history", "--no-trunc", compiled, check=True).stdout
    assert manifest_seen and not any(needle in history for needle in needles)


@pytest.mark.parametrize("name", ["compiled", "slim"])
def test_an_image_without_mlflow_has_no_heavy_package(
    engine: Engine, name: str, request: pytest.FixtureRequest
) -> None:
    script = (
        "import importlib.util as u\n"
        f"print([name for name in {sorted(HEAVY)} if u.find_spec(name)])"
    )
    image = request.getfixturevalue(name)
    assert engine.output_of(image, "python", "-c", script).strip() == "[]"


def test_slim_has_no_model_and_names_none(engine: Engine, slim: str) -> None:
    config = engine.inspect(slim)["Config"]
    named = [entry.partition("=")[0] for entry in config["Env"]]
    assert not {"COMPILED_MODEL", "MODEL_URI", "MLFLOW_TRACKING_URI"} & set(named)
    assert not [label for label in config["Labels"] if label.startswith("org.mlflow.")]
    assert engine.output_of(slim, "find", "/app", "-name", "manifest.json") == ""


def test_all_images_have_the_native_code(engine: Engine, image: str) -> None:
    script = "from function.compiled import native; print(native._native)"
    assert "_native.abi3.so" in engine.output_of(image, "python", "-c", script)


def test_an_image_is_built_without_the_native_code_where_no_wheel_is_and_says_so(
    engine: Engine, tmp_path: Path
) -> None:
    tag, context = "sentiment-test-pure:latest", build_context(tmp_path)
    insisting = engine.build(tag, "--target=code", "--build-arg=NATIVE=yes", context=context)
    ended = engine.build(tag, "--target=code", context=context)
    assert insisting.returncode != 0 and ended.returncode == 0, ended.stdout + ended.stderr
    for told in (insisting, ended):
        assert "No C code in this image: dist/ has no wheel" in told.stdout + told.stderr
    assert engine.output_of(tag, "find", "/app", "-name", "*.so") == ""


def test_an_image_can_be_built_without_the_native_code_on_purpose(engine: Engine) -> None:
    tag = "sentiment-test-pure:latest"
    ended = engine.build(tag, "--target=code", "--build-arg=NATIVE=no")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert engine.output_of(tag, "find", "/app", "-name", "*.so") == ""


def test_neither_pip_nor_compiler_nor_cache_is_installed(engine: Engine, image: str) -> None:
    script = (
        "ls -d /opt/venv/bin/pip* /opt/venv/lib/python3*/site-packages/pip /root/.cache /build"
        " /tmp/* 2>/dev/null; command -v gcc cc c++ g++ ld make cargo; true"
    )
    assert engine.output_of(image, "sh", "-c", script) == ""


def test_nothing_the_image_brings_is_writable(engine: Engine, image: str) -> None:
    script = "find /app /opt/venv ! -type l -writable -print; find /app /opt/venv ! -uid 0 -print"
    assert engine.output_of(image, "sh", "-c", script) == ""


def test_what_a_cold_start_imports_has_its_bytecode(engine: Engine, image: str) -> None:
    """Compiling a module takes ten times as long as loading it, and a read-only root forgets."""
    modules = "functions_framework function.server function.serve function.handler"
    if engine.run_command("run", "--rm", image, "python", "-c", "import mlflow").returncode == 0:
        modules += " mlflow.pyfunc mlflow.sklearn mlflow.artifacts pandas function.compile"
    script = (
        "import importlib, os, sys, warnings; warnings.simplefilter('ignore')\n"
        f"for name in {modules.split()}: importlib.import_module(name)\n"
        "specs = [getattr(m, '__spec__', None) for m in list(sys.modules.values())]\n"
        "print([s.name for s in specs if s and s.has_location and s.cached"
        " and s.origin.endswith('.py') and not os.path.exists(s.cached)])"
    )
    assert engine.output_of(image, "python", "-c", script).strip() == "[]"


def test_extra_requirements_are_installed(engine: Engine, served: str) -> None:
    assert engine.output_of(served, "python", "-c", "import emoji; print(emoji.__version__)")


def test_an_image_with_extras_takes_tokens_which_need_locked_packages(
    engine: Engine,
    slim_with_extras: str,
    published: dict[str, str],
    start: Callable[..., Container],
    tmp_path: Path,
) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(KEY_SET))
    keys.chmod(0o644)
    said = {"JWT_JWKS": "/jwks.json", "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}
    options = [*nothing_writable(engine), f"--volume={keys}:/jwks.json:ro"]
    container = start(slim_with_extras, *options, **published, **said, AUTH="jwt")
    container.wait_until_answering()
    asking = {"text": "fine"}
    assert container.server.request("/predict", asking).status == 401
    headers = {"Authorization": f"Bearer {token()}"}
    assert container.server.request("/predict", asking, headers=headers).status != 401
    versions = "from importlib.metadata import version as v; print(v('pyjwt'), v('cryptography'))"
    locked = {pin.name: pin.version for pin in pins()}
    found = engine.output_of(slim_with_extras, "python", "-c", versions).split()
    assert found == [locked["pyjwt"], locked["cryptography"]]


def test_what_an_image_lacks_is_what_it_says_it_lacks(engine: Engine, image: str) -> None:
    script = (
        "from importlib.metadata import distributions\n"
        "from packaging.requirements import Requirement as R\n"
        "from packaging.utils import canonicalize_name as canonical\n"
        "have = {canonical(d.name) for d in distributions()}\n"
        "needs = [R(text) for d in distributions() for text in d.requires or ()]\n"
        "print(sorted({canonical(r.name) for r in needs"
        " if not r.marker or r.marker.evaluate({'extra': ''})} - have))"
    )
    lacking = ["cryptography"] if "registry" in image else []
    assert engine.output_of(image, "python", "-c", script).strip() == str(lacking)


def test_what_is_in_an_image_is_what_is_locked_and_what_its_bill_of_materials_lists(
    engine: Engine, image: str
) -> None:
    kind = image.removeprefix("sentiment-test-").partition(":")[0]
    bill = json.loads(render(describe(*look_into(engine.command, image))))
    parts = [part for part in bill["components"] if part.get("purl", "").startswith("pkg:pypi/")]
    listed = {part["name"]: part["version"] for part in parts if part["name"] != "pip"}
    locked = {
        pin.name: pin.version
        for pin in pins(IMAGES[kind])
        if not pin.marker or Marker(pin.marker).evaluate({"python_full_version": "3.13.0"})
    }
    extra = {"emoji": "2.15.0"} if kind == "registry" else {}
    assert listed == locked | extra
    script = (
        "import pkgutil; from importlib.metadata import packages_distributions\n"
        "owners = packages_distributions()\n"
        "print(*sorted({owner for module in pkgutil.iter_modules() if '/opt/venv/' in"
        " module.module_finder.path for owner in owners.get(module.name, [module.name])}))"
    )
    importable = engine.output_of(image, "python", "-c", script).split()
    assert {canonical(name) for name in importable} <= listed.keys()
    assert {"python", "system", "pkg:deb/debian/libc6"} <= {
        part["bom-ref"].partition("@")[0] for part in bill["components"]
    }


def test_make_labels_an_image_with_what_it_is_made_of_and_from(engine: Engine) -> None:
    name, source = "sentiment-test-labels", "https://example.com/sentiment-function"
    isolation = "--isolation=chroot --layers" if engine.is_podman else ""
    command = ["make", "image-slim", f"DOCKER={engine.command}", f"IMAGE={name}"]
    command += [f"SOURCE={source}", f"BUILD_ARGS={isolation} --network=host"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    labels = engine.inspect(f"{name}:slim")["Config"]["Labels"]
    found = {key.removeprefix(OCI): value for key, value in labels.items() if key.startswith(OCI)}
    assert re.fullmatch(r"sha256:[0-9a-f]{64}|", found.pop("base.digest"))
    assert found.pop("revision").removesuffix("-dirty") == git("rev-parse", "HEAD")
    committed = datetime.fromisoformat(git("log", "-1", "--format=%cI"))
    assert datetime.fromisoformat(found.pop("created")) == committed
    assert found == {
        "title": "sentiment-function",
        "description": "Text classifiers published in the MLflow Model Registry, served over HTTP",
        "licenses": "Apache-2.0",
        "version": function.__version__,
        "source": source,
        "base.name": BASE,
    }


def git(*arguments: str) -> str:
    """What git says of the checkout."""
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip("not a git checkout: nothing to label with")
    return ended.stdout.strip()


@pytest.mark.parametrize("user", ["--user=65532:65532", ARBITRARY_USER])
def test_compiled_serves_locked_down_in_128_mib_with_nothing_to_write(
    engine: Engine, compiled: str, start: Callable[..., Container], user: str
) -> None:
    limits = ["--memory=128m", "--memory-swap=128m", "--cpus=1"]
    container = start(compiled, user, *nothing_writable(engine), *limits).wait_until_answering()
    assert predict(container)["sentiment"] == "positive"
    traffic = Traffic(container.port, clients=32).start()
    time.sleep(2)
    assert traffic.stop().lost == [] and set(traffic.statuses) == {200}
    batch = {"texts": ["This product is amazing! " * 300] * 100}
    assert container.server.request("/predict_batch", batch).status == 200
    print(f"compiled after {traffic.answered} requests: {container.memory_megabytes():.0f} MB")
    assert container.state["Running"] and not container.state["OOMKilled"]
    assert container.memory_megabytes() < 110
    lines = container.log().splitlines()
    assert all(json.loads(line) for line in lines)


def test_no_shell_is_needed(
    engine: Engine, compiled: str, start: Callable[..., Container], tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing"
    nothing.touch(mode=0o444)
    shells = [f"--volume={nothing}:/usr/bin/{name}:ro" for name in ("bash", "dash")]
    container = start(compiled, *nothing_writable(engine), *shells).wait_until_answering()
    assert predict(container)["sentiment"] == "positive"
    assert engine.run_command("exec", container.name, "sh", "-c", "true").returncode != 0


@pytest.mark.parametrize("user", ["--user=65532:65532", ARBITRARY_USER])
def test_slim_serves_what_is_published_locked_down_in_128_mib_with_nothing_to_write(
    engine: Engine,
    slim: str,
    published: dict[str, str],
    start: Callable[..., Container],
    user: str,
) -> None:
    limits = ["--memory=128m", "--memory-swap=128m", "--cpus=1"]
    options = [user, *nothing_writable(engine), *limits]
    container = start(slim, *options, **published)
    container.wait_until_predicting()
    # Neither what a request that is refused takes, nor what a registry over TLS does.
    mapped = Path(f"/proc/{container.state['Pid']}/maps").read_text()
    assert "_native" in mapped and not re.search(r"pydantic|/_ssl\.|libssl", mapped)
    assert predict(container)["sentiment"] == "positive"
    info = container.server.request("/models/info").json
    assert (info["engine"], info["version"], info["native"]) == ("compiled", "1", True)
    traffic = Traffic(container.port, clients=32).start()
    time.sleep(2)
    assert traffic.stop().lost == [] and set(traffic.statuses) == {200}
    print(f"slim after {traffic.answered} requests: {container.memory_megabytes():.0f} MB")
    assert container.state["Running"] and not container.state["OOMKilled"]
    assert container.memory_megabytes() < 110
    (loaded,) = [r for r in container.records() if r["message"] == "model loaded"]
    assert not loaded.keys() & {"not_published", "through_mlflow"}


def test_slim_says_what_publishes_a_model_and_serves_it_once_it_is(
    engine: Engine, slim: str, registry_server: Registry, start: Callable[..., Container]
) -> None:
    uri = registered(registry_server, "published-late")
    environ = {"MLFLOW_TRACKING_URI": registry_server.tracking_uri, "MODEL_URI": uri}
    container = start(slim, *nothing_writable(engine), **environ, LOAD_RETRY_SECONDS="0.5")
    container.wait_until_answering()
    reply = container.server.request("/predict", {"text": "fine"})
    command = "python -m function.compile models:/published-late/1 --publish"
    assert reply.status == 503 and command in reply.json["detail"]
    assert container.server.request("/health/ready").json["detail"] == reply.json["detail"]
    function.publish(uri)
    container.wait_until_predicting()
    assert predict(container)["model_version"] == "1"


def test_slim_trusts_the_authorities_of_its_base_and_the_operators_own(
    engine: Engine,
    slim: str,
    published: dict[str, str],
    start: Callable[..., Container],
    tmp_path: Path,
) -> None:
    script = "import os, ssl; print(len(os.listdir(ssl.get_default_verify_paths().capath)))"
    assert int(engine.output_of(slim, "python", "-c", script)) > 50
    certificate = write_certificate(tmp_path / "certificate.pem")
    certificate.chmod(0o644)
    mounted = f"--volume={certificate}:/authority.pem:ro"
    with front(published["MLFLOW_TRACKING_URI"], certificate=certificate) as listening:
        environ = {**published, "MLFLOW_TRACKING_URI": listening.url}
        container = start(slim, *nothing_writable(engine), mounted, **environ)
        container.wait_until_answering()
        assert "TLS" in container.server.request("/predict", {"text": "fine"}).json["detail"]
        for name in ("SSL_CERT_FILE", "MLFLOW_TRACKING_SERVER_CERT_PATH"):
            trusting = {**environ, name: "/authority.pem"}
            container = start(slim, *nothing_writable(engine), mounted, **trusting)
            container.wait_until_predicting()


@pytest.mark.parametrize("user", ["--user=65532:65532", ARBITRARY_USER])
def test_registry_serves_locked_down_in_512_mib_with_only_tmp_to_write(
    engine: Engine,
    served: str,
    registry_server: Registry,
    start: Callable[..., Container],
    user: str,
) -> None:
    limits = ["--memory=512m", "--memory-swap=512m", "--cpus=1", "--tmpfs=/tmp"]
    options = [user, *nothing_writable(engine), *limits]
    container = start(served, *options, **from_registry(registry_server)).wait_until_answering()
    assert predict(container)["sentiment"] == "positive"
    traffic = Traffic(container.port, clients=32).start()
    time.sleep(2)
    assert traffic.stop().lost == [] and set(traffic.statuses) == {200}
    print(f"registry after {traffic.answered} requests: {container.memory_megabytes():.0f} MB")
    assert container.state["Running"] and not container.state["OOMKilled"]
    assert container.memory_megabytes() < 450


def test_the_memory_limit_is_enforced_here(engine: Engine, compiled: str, tmp_path: Path) -> None:
    """Else the two tests above would prove nothing."""
    options = ["--rm", "--memory=128m", "--memory-swap=128m"]
    ended = engine.run_command(
        *("run", *options, compiled, "python", "-c", "print(len(b'x' * 400_000_000))"),
        cwd=tmp_path,  # podman's monitor leaves a file named oom where it runs
    )
    if ended.returncode == 0:
        pytest.skip("this engine does not enforce memory limits: only the PSS above counts")
    assert ended.returncode == 137


HELLO = ["functions-framework", "--target=hello", "--source=/hello.py", "--host=127.0.0.1"]


@pytest.mark.parametrize("cpus", ["1", "0.25"])
def test_a_wake_up_takes_less_than_a_hello_worlds(
    engine: Engine,
    compiled: str,
    slim: str,
    published: dict[str, str],
    start: Callable[..., Container],
    cpus: str,
) -> None:
    """From the start of the container's process to its first answer, twenty times in turns; the
    one who waits for it asks from before the engine is told."""
    hello = f"--volume={ROOT}/tests/benchmarks/peers/hello.py:/hello.py:ro"
    starts: dict[str, tuple[str, list[str], dict[str, Any]]] = {
        "compiled": (compiled, [], {}),
        "slim": (slim, [], published),
        "hello": (compiled, [hello], {"command": HELLO}),
    }
    found: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(20):
        for name, (image, options, more) in starts.items():
            limits = [*LOCKED_DOWN, "--tmpfs=/tmp", f"--cpus={cpus}", *options]
            port = free_port()
            with ThreadPoolExecutor() as pool:
                answered = pool.submit(first_prediction, port)
                container = start(image, *limits, port=port, **more)
            found[name].append((answered.result() or inf) - container.process_began())
            engine.remove(container)
    median = {name: sorted(values)[len(values) // 2] for name, values in found.items()}
    print(f"at {cpus} CPU, process start to first answer: {median} s")
    assert median["compiled"] < 0.5 * median["hello"]
    assert median["slim"] < 0.6 * median["hello"]


def test_a_registry_start_is_told_in_parts(
    served: str, registry_server: Registry, start: Callable[..., Container]
) -> None:
    container = start(served, *LOCKED_DOWN, "--tmpfs=/tmp", **from_registry(registry_server))
    container.wait_until_predicting()
    time.sleep(0.1)
    (record,) = [record for record in container.records() if record["message"] == "started"]
    print(f"registry: {record}")
    assert record["listening_ms"] < record["model_loaded_ms"] <= record["first_request_ms"]


def test_functions_framework_is_the_other_door_of_the_same_image(
    compiled: str, start: Callable[..., Container]
) -> None:
    command = ["functions-framework", "--target=handle"]
    container = start(compiled, *LOCKED_DOWN, "--tmpfs=/tmp", command=command)
    assert predict(container.wait_until_answering())["model_version"] == "2"


def test_what_never_mends_ends_the_container_with_its_termination_message(
    engine: Engine, compiled: str, tmp_path: Path
) -> None:
    place = tmp_path / "termination-log"
    place.touch(mode=0o666)
    place.chmod(0o666)
    ended = engine.run_command(
        *("run", "--rm", "--network=none", f"--volume={place}:/dev/termination-log"),
        *("--env=COMPILED_MODEL=/no/such/model", compiled),
    )
    assert ended.returncode == 1
    message = place.read_text()
    assert message.startswith("COMPILED_MODEL=/no/such/model") and message in ended.stderr


def test_no_requests_can_make_it_run_out_of_memory(
    compiled: str, start: Callable[..., Container]
) -> None:
    """64 clients, each as greedy as the limits allow, in the manifest's 128 MiB."""
    limits = ["--memory=128m", "--memory-swap=128m", "--cpus=1"]
    container = start(compiled, *LOCKED_DOWN, *limits).wait_until_answering()
    bodies = [
        json.dumps({"texts": ["word " * 2_000] * 100}).encode(),
        json.dumps({"texts": ["\U0001f600" * 2_500] * 100}, ensure_ascii=False).encode(),
        b'{"text": [' + b",".join([b'{"": 0}'] * 120_000) + b"]}",
        b'{"texts": [' + b",".join([b'"aa"'] * 200_000) + b"]}",
        b"[" * 1_000_000,
        gzip.compress(json.dumps({"texts": ["word " * 2_000] * 100}).encode()),
    ]
    with ThreadPoolExecutor(64) as pool:
        futures = [pool.submit(ask_until_answered, container, bodies[n % 6]) for n in range(384)]
        statuses = {future.result() for future in futures}
    print(f"after 384 greedy requests: {container.memory_megabytes():.0f} MB, {statuses}")
    assert statuses <= {200, 400, 422, 503}
    assert container.state["Running"] and not container.state["OOMKilled"]


def ask_until_answered(container: Container, body: bytes) -> int:
    """The status of a large batch; gzip is announced by its first bytes."""
    headers = {"Content-Encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {}
    return container.server.request("/predict_batch", data=body, headers=headers).status


@pytest.mark.parametrize("pause_seconds", [0.0, 0.02])
def test_sigterm_under_load_loses_no_request(
    compiled: str, start: Callable[..., Container], pause_seconds: float
) -> None:
    container = start(compiled, *LOCKED_DOWN, DRAIN_SECONDS="10").wait_until_answering()
    traffic = Traffic(container.port, pause_seconds=pause_seconds).start()
    container.terminate()
    told = time.monotonic()
    assert container.wait() == 0
    assert time.monotonic() - told < 10
    assert traffic.join().lost == []
    assert set(traffic.statuses) == {200}
    logged = [json.loads(line) for line in container.log().splitlines()]
    assert sum(record.get("path") == "/predict" for record in logged) == traffic.answered


def test_sigterm_right_after_the_start_ends_it(
    compiled: str, start: Callable[..., Container]
) -> None:
    for pause_seconds in (0.1, 0.3, 0.6):
        container = start(compiled, "--cpus=0.5")
        time.sleep(pause_seconds)
        container.terminate()
        told = time.monotonic()
        assert container.wait() == 0
        assert time.monotonic() - told < 10


def test_the_port_variable_is_obeyed(compiled: str, start: Callable[..., Container]) -> None:
    port = free_port()
    container = start(compiled, PORT=str(port), HOST="127.0.0.1")
    container.port = port
    assert predict(container.wait_until_answering())["model_version"] == "2"


@pytest.mark.parametrize(
    ("model_uri", "reason"),
    [
        ("models:/nobody/1", "nobody"),
        (f"models:/{NAME}@nothing", "nothing"),
        ("no-such-folder", "no-such-folder"),
        ("", "--build-arg MODEL_URI="),
    ],
)
def test_a_wrong_model_uri_fails_the_build_with_the_reason(
    engine: Engine, build_secrets: list[str], compiled: str, model_uri: str, reason: str
) -> None:
    argument = f"--build-arg=MODEL_URI={model_uri}"
    ended = engine.build("sentiment-test-wrong", "--target=compiled", argument, *build_secrets)
    log = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert reason in log and "Traceback" not in log
    assert not any(secret in log for secret in SECRETS.values())


def test_a_folder_compiled_before_is_built_in_as_it_is(
    engine: Engine, compiled: str, tmp_path: Path, start: Callable[..., Container]
) -> None:
    """Where the build cannot reach the registry: compile on the laptop, build from the folder."""
    context = context_with_model(engine, compiled, tmp_path)
    argument = "--build-arg=MODEL_URI=model"
    tag = "sentiment-test-folder:latest"
    ended = engine.build(tag, "--target=compiled", argument, context=context)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    digests = [
        engine.output_of(built, "sha256sum", "/app/model/SHA256SUMS") for built in (tag, compiled)
    ]
    assert digests[0] == digests[1]
    table = context / "model" / "vectorizer.0"
    table.write_bytes(table.read_bytes()[:-8])
    ended = engine.build(tag, "--target=compiled", argument, "--no-cache", context=context)
    assert ended.returncode != 0 and "vectorizer.0" in ended.stdout + ended.stderr


def build_context(folder: Path) -> Path:
    """A copy of what the build reads, but for the wheels."""
    context = folder / "context"
    context.mkdir()
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "main.py", "requirements.txt"):
        (context / name).write_bytes((ROOT / name).read_bytes())
    for source in (*(ROOT / "function").rglob("*"), *(ROOT / "supply").rglob("*")):
        if source.is_file() and source.suffix != ".pyc":
            target = context / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return context


def context_with_model(engine: Engine, image: str, folder: Path) -> Path:
    """The same with the image's model beside it as ``model``."""
    context = build_context(folder)
    engine.run_command("create", "--name=sentiment-test-copy", image, check=True)
    try:
        engine.run_command("cp", "sentiment-test-copy:/app/model", str(context), check=True)
    finally:
        engine.run_command("rm", "sentiment-test-copy")
    return context
