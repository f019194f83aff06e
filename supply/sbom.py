"""``python -m supply.sbom ENGINE IMAGE FILE``: a CycloneDX bill of materials for a built image.

It lists what the image's own Python finds in it, not what was meant to be there: packages with
licences and the digests of their locked files, the interpreter, Debian's packages, the base, and
the model, where one is built in. The output is the LABEL that says which file belongs to the image.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import fixup_id, is_expression
from packageurl import PackageURL

from function import __version__
from supply.locks import canonical, pins

INSIDE = Path(__file__).with_name("inside.py")
LABEL = "org.cyclonedx.sbom.sha256"
OCI, MODEL = "org.opencontainers.image.", "org.mlflow.model."


def main() -> None:
    """Write the bill of materials and print the label."""
    engine, image, file = sys.argv[1:]
    text = render(describe(*look_into(engine, image)))
    Path(file).write_text(text)
    print(f'LABEL {LABEL}="{hashlib.sha256(text.encode()).hexdigest()}"')


def look_into(engine: str, image: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the image's Python finds in it, and the image's labels."""
    (inspected,) = json.loads(output_of([engine, "image", "inspect", image]))
    command = [engine, "run", "--rm", "--interactive", "--network=none", image, "python", "-I", "-"]
    facts = json.loads(output_of(command, INSIDE.read_bytes()))
    labels = {key: value for key, value in (inspected["Config"]["Labels"] or {}).items() if value}
    return facts, {f"{OCI}created": inspected["Created"]} | labels


def output_of(command: list[str], given: bytes = b"") -> bytes:
    ended = subprocess.run(command, input=given, capture_output=True)
    if ended.returncode:
        raise SystemExit(ended.stderr.decode())
    return ended.stdout


def describe(facts: Mapping[str, Any], labels: Mapping[str, str]) -> Bom:
    """The same facts and labels give the same bill, byte for byte."""
    said = {key: value for key, value in sorted(labels.items()) if key.startswith((OCI, MODEL))}
    image = Component(
        type=ComponentType.CONTAINER,
        name="sentiment-function",
        version=__version__,
        bom_ref="image",
        licenses=[LicenseFactory().make_with_id("Apache-2.0")],
        properties=[Property(name=key, value=value) for key, value in said.items()],
    )
    contents = [*python_packages(facts), *the_system(facts), *made_from(labels)]
    created = datetime.fromisoformat(labels[f"{OCI}created"])
    metadata = BomMetaData(component=image, timestamp=created)
    metadata.tools.components.add(this_component())
    identity = json.dumps([facts, said], sort_keys=True)
    serial = uuid.uuid5(uuid.NAMESPACE_OID, identity)
    bom = Bom(components=contents, metadata=metadata, serial_number=serial)
    bom.register_dependency(image, contents)
    return bom


def render(bom: Bom) -> str:
    """CycloneDX 1.6 as JSON, held against its schema."""
    # It makes dozens of parsers when it is imported, which takes seconds.
    from cyclonedx.validation.json import JsonStrictValidator

    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"no valid CycloneDX: {error.data}")
    return text + "\n"


def python_packages(facts: Mapping[str, Any]) -> Iterator[Component]:
    locked = {(pin.name, pin.version): pin.digests for pin in pins()}
    for package in facts["packages"]:
        name, version = canonical(package["name"]), package["version"]
        purl = PackageURL("pypi", None, name, version)
        files = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(purl)),
            comment="the locked files, one of which this is",
            hashes=[sha256(digest) for digest in locked.get((name, version), ())],
        )
        yield Component(
            name=name,
            version=version,
            bom_ref=str(purl),
            purl=purl,
            licenses=licences(package),
            external_references=[files] if files.hashes else (),
        )


def licences(package: Mapping[str, Any]) -> list[License]:
    """SPDX's names where the package has them, else its own words."""
    stated, make = package["license"], LicenseFactory().make_from_string
    if stated and (is_expression(stated) or fixup_id(stated)):
        return [make(stated)]
    words = package["classified"] or [textwrap.shorten(stated, 80)]
    return [make(each) for each in words if each]


def the_system(facts: Mapping[str, Any]) -> Iterator[Component]:
    """The interpreter, the distribution and its packages."""
    python, system = facts["python"], facts["system"]
    yield Component(
        type=ComponentType.PLATFORM,
        name="python",
        version=python,
        bom_ref="python",
        purl=PackageURL("generic", None, "python", python),
        cpe=f"cpe:2.3:a:python:python:{python}:*:*:*:*:*:*:*",
    )
    yield Component(
        type=ComponentType.OPERATING_SYSTEM,
        name=system["ID"],
        version=system.get("VERSION_ID"),
        bom_ref="system",
    )
    for package in facts["system_packages"]:
        distribution = f"{system['ID']}-{system.get('VERSION_ID', '')}"
        known = {"arch": package["Architecture"], "distro": distribution}
        purl = PackageURL("deb", system["ID"], package["Package"], package["Version"], known)
        yield Component(name=purl.name, version=purl.version, bom_ref=str(purl), purl=purl)


def made_from(labels: Mapping[str, str]) -> Iterator[Component]:
    """The base image and the model, as the labels name them."""
    if name := labels.get(f"{OCI}base.name"):
        digest = labels.get(f"{OCI}base.digest")
        yield Component(
            type=ComponentType.CONTAINER,
            name=name,
            bom_ref="base",
            hashes=[sha256(digest.removeprefix("sha256:"))] if digest else (),
        )
    if digest := labels.get(f"{MODEL}digest"):
        yield Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=labels.get(f"{MODEL}name", "model"),
            version=labels.get(f"{MODEL}version"),
            bom_ref="model",
            hashes=[sha256(digest.removeprefix("sha256:"))],
        )


def sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


if __name__ == "__main__":
    main()
