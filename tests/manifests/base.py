"""What every schema is made of: strictness, names, amounts, metadata."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
Labels = dict[str, LabelValue]
PortNumber = Annotated[int, Field(ge=1, le=65_535)]
PortName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$")]
Port = PortNumber | PortName
Cpu = Annotated[str, Field(pattern=r"^(\d+m|\d+(\.\d+)?)$")]
Bytes = Annotated[str, Field(pattern=r"^\d+(Ki|Mi|Gi|k|M|G)?$")]
Digits = Annotated[str, Field(pattern=r"^\d+$")]
Duration = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ms|s|m|h))+$")]
Percentage = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=1)]
CountOrShare = Count | Annotated[str, Field(pattern=r"^\d{1,3}%$")]


class Strict(BaseModel):
    """Camel case as in YAML, no other fields, no conversions ("8080" is not a port number)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class OneOf(Strict):
    """Exactly one of the fields is given."""

    @model_validator(mode="after")
    def _one_field(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"exactly one of {', '.join(type(self).model_fields)} is needed")
        return self


class ObjectMeta(Strict):
    name: Name
    namespace: Name | None = None
    labels: Labels = {}
    annotations: dict[str, str] = {}
