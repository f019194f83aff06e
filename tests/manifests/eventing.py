"""Broker, Trigger and PingSource of Knative Eventing.

After knative.dev/eventing v0.51 config/core/resources and pkg/apis/{eventing,duck,sources}/v1; of
the delivery, retryAfterMax is behind a flag of config-features and so left out.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.manifests.base import Count, Name, ObjectMeta, Strict

IsoDuration = Annotated[str, Field(pattern=r"^PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$", min_length=4)]
EventAttributes = dict[Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")], str]


class Addressable(Strict):
    api_version: str
    kind: Literal["Service", "Broker"]
    name: Name
    namespace: Name | None = None


class Destination(Strict):
    """An object with an address; ``uri`` is relative to it."""

    ref: Addressable | None = None
    uri: str | None = None

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.ref is None and not (self.uri and "://" in self.uri):
            raise ValueError("a destination is a ref, or an absolute uri")
        return self


class Delivery(Strict):
    retry: Count
    backoff_policy: Literal["exponential", "linear"]
    backoff_delay: IsoDuration
    timeout: IsoDuration | None = None
    dead_letter_sink: Destination | None = None


class BrokerSpec(Strict):
    config: Addressable | None = None
    delivery: Delivery | None = None


class Broker(Strict):
    api_version: Literal["eventing.knative.dev/v1"]
    kind: Literal["Broker"]
    metadata: ObjectMeta
    spec: BrokerSpec = BrokerSpec()


class EventFilter(Strict):
    attributes: EventAttributes


class TriggerSpec(Strict):
    broker: Name
    filter: EventFilter
    subscriber: Destination
    delivery: Delivery


class Trigger(Strict):
    api_version: Literal["eventing.knative.dev/v1"]
    kind: Literal["Trigger"]
    metadata: ObjectMeta
    spec: TriggerSpec


class PingSourceSpec(Strict):
    schedule: Annotated[str, Field(pattern=r"^\S+( \S+){4}$")]
    timezone: str | None = None
    content_type: str
    data: str
    sink: Destination


class PingSource(Strict):
    api_version: Literal["sources.knative.dev/v1"]
    kind: Literal["PingSource"]
    metadata: ObjectMeta
    spec: PingSourceSpec
