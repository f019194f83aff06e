"""Pod specs, as Kubernetes takes them and as a default Knative installation does."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.manifests.base import (
    Bytes,
    Count,
    Cpu,
    Labels,
    Name,
    OneOf,
    Port,
    PortName,
    PortNumber,
    Seconds,
    Strict,
)


class HTTPHeader(Strict):
    name: str
    value: str


class HTTPGet(Strict):
    path: Annotated[str, Field(pattern="^/")]
    port: Port
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: list[HTTPHeader] = []


class TCPSocket(Strict):
    port: Port
    host: str | None = None


class Exec(Strict):
    command: list[str]


class Probe(Strict):
    http_get: HTTPGet | None = None
    tcp_socket: TCPSocket | None = None
    exec: Exec | None = None
    initial_delay_seconds: Count = 0
    period_seconds: Seconds | None = None
    timeout_seconds: Seconds | None = None
    success_threshold: Seconds | None = None
    failure_threshold: Seconds | None = None

    @model_validator(mode="after")
    def _one_handler(self) -> Self:
        if len({"http_get", "tcp_socket", "exec"} & self.model_fields_set) != 1:
            raise ValueError("exactly one of httpGet, tcpSocket, exec is needed")
        return self


class QueueProxyProbe(Probe):
    """A Knative readiness probe: with no period (or 0) queue-proxy probes aggressively."""

    period_seconds: Count | None = None

    @model_validator(mode="after")
    def _no_thresholds_when_aggressive(self) -> Self:
        if not self.period_seconds and (self.timeout_seconds or self.failure_threshold):
            raise ValueError("timeoutSeconds and failureThreshold need a periodSeconds above zero")
        return self


class Capabilities(Strict):
    add: list[str] = []
    drop: list[str] = []


class SeccompProfile(Strict):
    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]
    localhost_profile: str | None = None


class ContainerSecurity(Strict):
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities = Capabilities()
    privileged: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    seccomp_profile: SeccompProfile | None = None


class PodSecurity(Strict):
    fs_group: int | None = None
    fs_group_change_policy: Literal["OnRootMismatch", "Always"] | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: list[int] = []


class KeyRef(Strict):
    name: Name
    key: str
    optional: bool = False


class FieldRef(Strict):
    field_path: str
    api_version: str | None = None


class KnativeEnvSource(OneOf):
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None


class EnvSource(KnativeEnvSource):
    field_ref: FieldRef | None = None


class KnativeEnv(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    value: str | None = None
    value_from: KnativeEnvSource | None = None

    @model_validator(mode="after")
    def _value_or_source(self) -> Self:
        if (self.value is None) == (self.value_from is None):
            raise ValueError("exactly one of value, valueFrom is needed")
        return self


class Env(KnativeEnv):
    value_from: EnvSource | None = None


class Reference(Strict):
    name: Name
    optional: bool = False


class EnvFrom(Strict):
    prefix: str = ""
    config_map_ref: Reference | None = None
    secret_ref: Reference | None = None


class ContainerPort(Strict):
    container_port: PortNumber
    name: PortName | None = None
    protocol: Literal["TCP", "UDP"] = "TCP"


class KnativePort(ContainerPort):
    name: Literal["http1", "h2c"] | None = None


class Amounts(Strict):
    cpu: Cpu | None = None
    memory: Bytes | None = None
    ephemeral_storage: Annotated[Bytes | None, Field(alias="ephemeral-storage")] = None


class Resources(Strict):
    requests: Amounts
    limits: Amounts


class VolumeMount(Strict):
    name: Name
    mount_path: Annotated[str, Field(pattern="^/[^:]+$")]
    read_only: bool = False
    sub_path: str | None = None


class EmptyDir(Strict):
    size_limit: Bytes | None = None
    medium: Literal["", "Memory"] = ""


class KeyToPath(Strict):
    key: str
    path: str


class ConfigMapVolume(Strict):
    name: Name
    items: list[KeyToPath] = []
    optional: bool = False


class SecretVolume(Strict):
    secret_name: Name
    items: list[KeyToPath] = []
    optional: bool = False


class Volume(Strict):
    name: Name
    empty_dir: EmptyDir | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None


class KnativeContainer(Strict):
    name: Name
    image: Annotated[str, Field(pattern=r"^\S+[:@]\S+$")]  # a tag or digest, never bare
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    command: list[str] = []
    args: list[str] = []
    working_dir: str | None = None
    ports: Annotated[list[KnativePort], Field(min_length=1, max_length=1)]
    env: list[KnativeEnv] = []
    env_from: list[EnvFrom] = []
    resources: Resources
    volume_mounts: list[VolumeMount] = []
    readiness_probe: QueueProxyProbe
    liveness_probe: Probe
    startup_probe: Probe | None = None
    security_context: ContainerSecurity
    termination_message_path: Annotated[str, Field(pattern="^/")]
    termination_message_policy: Literal["File", "FallbackToLogsOnError"]


class Sleep(Strict):
    seconds: Seconds


class LifecycleHandler(OneOf):
    exec: Exec | None = None
    http_get: HTTPGet | None = None
    sleep: Sleep | None = None


class Lifecycle(Strict):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class Container(KnativeContainer):
    ports: Annotated[list[ContainerPort], Field(min_length=1)]  # type: ignore[assignment]
    env: list[Env] = []  # type: ignore[assignment]
    readiness_probe: Probe  # type: ignore[assignment]
    lifecycle: Lifecycle | None = None


class KnativePodSpec(Strict):
    containers: Annotated[list[KnativeContainer], Field(min_length=1)]
    volumes: list[Volume] = []
    service_account_name: Name | None = None
    image_pull_secrets: list[Reference] = []
    automount_service_account_token: Literal[False]  # the only value Knative takes
    enable_service_links: bool


class LabelExpression(Strict):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class Selector(Strict):
    match_labels: Labels = {}
    match_expressions: list[LabelExpression] = []


class TopologySpread(Strict):
    max_skew: Seconds
    topology_key: str
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"]
    label_selector: Selector
    match_label_keys: list[str] = []
    min_domains: int | None = None


class PodSpec(KnativePodSpec):
    containers: Annotated[list[Container], Field(min_length=1)]  # type: ignore[assignment]
    security_context: PodSecurity
    termination_grace_period_seconds: Count
    topology_spread_constraints: list[TopologySpread] = []
    node_selector: Labels = {}
    priority_class_name: Name | None = None
    restart_policy: Literal["Always"]
    dns_policy: Literal["ClusterFirst", "Default", "None", "ClusterFirstWithHostNet"]
    scheduler_name: Name
    host_network: bool = False
    host_pid: Annotated[bool, Field(alias="hostPID")] = False
    host_ipc: Annotated[bool, Field(alias="hostIPC")] = False
