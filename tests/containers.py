"""A real container engine for tests: build images, run containers, look inside both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.processes import LiveServer, free_port

# What the restricted pod-security profile and a read-only root amount to.
LOCKED_DOWN = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]


@dataclass
class Container:
    """A running container, on the host's network and loopback only."""

    engine: Engine
    name: str
    port: int

    @property
    def server(self) -> LiveServer:
        """The same requests as to a process; its process and output are the engine's."""
        return LiveServer(None, f"http://127.0.0.1:{self.port}", Path())  # type: ignore[arg-type]

    def wait_until_answering(self, path: str = "/health/live", seconds: float = 90) -> Container:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.server.request(path).status == 200:
                    return self
            except OSError:
                pass
            assert self.state["Running"], f"it ended with {self.state['ExitCode']}: {self.log()}"
            time.sleep(0.02)
        raise AssertionError(f"{path} was not 200 in {seconds} s: {self.log()}")

    @property
    def state(self) -> dict[str, Any]:
        inspected = json.loads(self.engine.run_command("inspect", self.name).stdout)
        state: dict[str, Any] = inspected[0]["State"]
        return state

    def started_at(self) -> float:
        """When its first process began, as time.time() counts."""
        return datetime.fromisoformat(
            self.state["StartedAt"][:26].rstrip("Z") + "+00:00"
        ).timestamp()

    def process_began(self) -> float:
        """When the kernel began its first process, to 10 ms, as time.time() counts."""
        stat = Path(f"/proc/{self.state['Pid']}/stat").read_text()
        ticks = int(stat.rpartition(")")[2].split()[19])
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted + ticks / os.sysconf("SC_CLK_TCK")

    def wait_until_predicting(self) -> None:
        assert first_prediction(self.port), f"no prediction: {self.log()}"

    def log(self) -> str:
        ended = self.engine.run_command("logs", self.name)
        return ended.stdout + ended.stderr

    def records(self) -> list[dict[str, Any]]:
        """What it logged so far; every line of it must be JSON."""
        return [json.loads(line) for line in self.log().splitlines()]

    def terminate(self) -> None:
        """SIGTERM to process 1, as a kubelet does."""
        self.engine.run_command("kill", "--signal=TERM", self.name, check=True)

    def wait(self) -> int:
        return int(self.engine.run_command("wait", self.name, check=True).stdout)

    def processes(self) -> list[int]:
        """Process ids on the host, process 1 first."""
        found = [int(self.state["Pid"])]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            found.extend(map(int, children.split()))
        return found

    def memory_megabytes(self) -> float:
        """Proportional set size of all its processes."""
        kilobytes = 0
        for pid in self.processes():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return kilobytes / 1000


def first_prediction(port: int, seconds: float = 90) -> float | None:
    """Ask for a prediction, again and again without a pause worth mentioning, until one comes, and
    return when that was, as time.time() counts; takes next to nothing of the processor."""
    server = LiveServer(None, f"http://127.0.0.1:{port}", Path())  # type: ignore[arg-type]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if server.request("/predict", {"text": "fine"}).status == 200:
                return time.time()
        except OSError:
            time.sleep(0.002)
    return None


@dataclass
class Engine:
    """podman or docker."""

    command: str
    started: list[str] = field(default_factory=list)

    @classmethod
    def find(cls) -> Engine | None:
        """The first that answers: a docker client without its engine is none."""
        for command in filter(None, map(shutil.which, ("podman", "docker"))):
            if subprocess.run([command, "info"], capture_output=True).returncode == 0:
                return cls(command)
        return None

    @property
    def is_podman(self) -> bool:
        return Path(self.command).name == "podman"

    def run_command(
        self, *arguments: str, check: bool = False, timeout: float = 1_200, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        # podman leaves a file named oom where it was started when a container's memory runs out.
        elsewhere = {"cwd": tempfile.gettempdir(), **options}
        ended = subprocess.run(
            [self.command, *arguments], capture_output=True, text=True, timeout=timeout, **elsewhere
        )
        assert not check or ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended

    def build(
        self, tag: str, *arguments: str, context: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Build the Dockerfile; a registry on loopback is within the build's reach."""
        # chroot: the one way of isolating build steps that works inside another container too.
        isolation = ["--isolation=chroot", "--layers"] if self.is_podman else []
        return self.run_command(
            "build", *isolation, "--network=host", f"--tag={tag}", *arguments, str(context)
        )

    def start(
        self, image: str, *options: str, command: Sequence[str] = (), port: int = 0, **environ: str
    ) -> Container:
        port = port or free_port()
        given = {"HOST": "127.0.0.1", "PORT": str(port), **environ}
        variables = [f"--env={name}={value}" for name, value in given.items()]
        name = f"sentiment-test-{port}"
        self.started.append(name)
        self.run_command(
            "run", "--detach", "--network=host", f"--name={name}", *variables, *options, image,
            *command, check=True,
        )  # fmt: skip
        return Container(self, name, port)

    def remove(self, container: Container) -> None:
        self.run_command("rm", "--force", container.name)
        self.started.remove(container.name)

    def output_of(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """What a command inside the image prints."""
        ended = self.run_command("run", "--rm", "--network=none", *options, image, *command)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def inspect(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.run_command("image", "inspect", image, check=True).stdout
        )[0]
        return found

    def compressed_megabytes(self, image: str) -> float:
        """What a pull costs: the saved image through gzip -6."""
        script = f"{self.command} save {image} | gzip -6 | wc -c"
        counted = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return int(counted.stdout) / 1e6

    def files(self, image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
        """Everything the image consists of: each layer's every file, configuration, history."""
        saved = folder / "image.tar"
        archive = ["--format=docker-archive"] if self.is_podman else []
        self.run_command("save", *archive, f"--output={saved}", image, check=True)
        with tarfile.open(saved) as outer:
            for entry in outer:
                if entry.isfile() and (content := outer.extractfile(entry)) is not None:
                    yield entry.name, content.read()
        saved.unlink()
