# make run    first prediction in half a minute (two where nothing is cached): installs, trains, serves
# make test   the same set-up, then ruff, mypy and the test suite; the two below are the rest of it
# make test-clients  beside peers and their clients, models of others, older versions
# make test-containers  builds the images and tests them; needs podman and buildah, or docker
# make fuzz   100,000 requests that no client should send, at both doors
# make fuzz-native  random texts and files through the C code, under AddressSanitizer and UBSan
# make conformance  schemathesis at both doors: a quarter of an hour
# make soak   five minutes of load at 64 connections: errors, latency, memory (needs wrk, two cores)
# make bench  measure this project and its peers, side by side (1-2 hours; needs wrk, two cores)
# make image            the image that loads MODEL_URI from the registry when it starts
# make image-slim       the one for every model that is published there: no MLflow, no scikit-learn
# make image-compiled   the image with MODEL_URI built in, labelled with its lineage
# make wheel  wheels with the C code for Linux on x86-64 and aarch64: dist/; the images take it from there
# make sbom   a CycloneDX bill of materials for each image that is built: sbom/, and a label
# make audit  known vulnerabilities of all that is locked; skipped where nobody can be asked
# make lock   refresh requirements.txt, the images' share of it and wheel's tools from pyproject.toml

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NATIVE := function/compiled/_native.abi3.so
TOOLS  := .venv-wheel
PORT   ?= 8080
export PORT
DOCKER ?= docker
IMAGE  ?= sentiment-function
MODEL_URI ?= models:/prod-sentiment-classifier/Production

BASE      = $(shell sed -n 's/^ARG BASE=//p' Dockerfile)
SOURCE    =
BUILD     = $(DOCKER) build --build-arg BASE=$(BASE) $(BUILD_ARGS)

# What an image is made of and from, as far as git and the engine know; the rest has no label.
version     = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' function/__init__.py)
revision    = $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
created     = $(shell TZ=UTC git log -1 --date=format-local:%FT%TZ --format=%cd 2>/dev/null)
source      = $(SOURCE)
base.name   = $(BASE)
base.digest = $(or $(word 2,$(subst @, ,$(BASE))),$(shell $(DOCKER) image inspect $(BASE) \
                --format '{{range .RepoDigests}}{{.}}{{end}}' 2>/dev/null | sed 's/.*@//'))
LABEL = LABEL$(foreach key,version revision created source base.name base.digest,$(if $($(key)), \
  org.opencontainers.image.$(key)="$($(key))"))
# A build cannot label its own image with what it found out, and podman's cache takes labels made
# of arguments from another build: a second one, of literal lines, does.
add   = printf '%s\n' "FROM $(IMAGE):$(1)" $(2) | $(DOCKER) build --quiet --tag $(IMAGE):$(1) -

BUILT     = $(strip $(foreach kind,slim compiled registry,\
  $(shell $(DOCKER) image inspect $(IMAGE):$(kind) >/dev/null 2>&1 && echo $(kind))))
GET_UV    = install --quiet --disable-pip-version-check uv
LOCK      = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header \
  --generate-hashes --quiet
# A share has the versions of the whole, and no cryptography (the Dockerfile says why).
SHARE     = $(LOCK) --no-annotate --constraints requirements.txt --extra server \
  $(foreach name,cryptography cffi pycparser,--no-emit-package $(name))

# On any machine, for any Linux of the last ten years. The last option: Debian's Python.h looks for
# what depends on the processor in a folder of its name; nothing of it matters to us.
ZIG       = $(TOOLS)/bin/python -m ziglang cc -target $$arch-linux-gnu.2.17 -s -idirafter dist/linux

.PHONY: run test test-clients test-containers fuzz fuzz-native conformance soak bench wheel image image-slim image-compiled image-wheel sbom audit lock clean

# The C code is built while the demo is trained.
run: $(VENV)/installed
	@$(MAKE) --no-print-directory $(NATIVE) & native=$$!; \
	  $(BIN)/python -m function.demo --if-missing && wait $$native
	@echo "Serving on http://localhost:$(PORT) (Ctrl-C stops). Open it in a browser, or try:"
	@echo "  curl http://localhost:$(PORT)/predict -H 'Content-Type: application/json' -d '{\"text\": \"This product is amazing!\"}'"
	@exec $(BIN)/functions-framework --target=handle

# mypy looks while the tests begin; what it found is told after theirs, and either can fail.
test: $(VENV)/installed-test $(NATIVE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@told=$$(mktemp); $(BIN)/mypy >$$told 2>&1 & types=$$!; \
	  $(BIN)/python -m pytest -n auto -m "not container and not client"; tests=$$?; \
	  wait $$types; types=$$?; echo "$(BIN)/mypy"; cat $$told; rm $$told; \
	  [ $$tests = 0 ] && [ $$types = 0 ]

test-clients: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m pytest -n auto -m client

test-containers: $(VENV)/installed-test $(NATIVE) wheel
	$(BIN)/python -m pytest -m container

fuzz: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m tests.fuzz $(ARGS)

fuzz-native: $(VENV)/installed-test
	$(BIN)/python -m tests.fuzz_native $(ARGS)

conformance: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m tests.conformance $(ARGS)

soak: $(VENV)/installed-test $(NATIVE) .bench/demo
	$(BIN)/python -m tests.benchmarks.soak --model .bench/demo $(ARGS)

.bench/demo: $(VENV)/installed
	$(BIN)/python -m function.demo --if-missing
	$(BIN)/python -m function.compile "$(MODEL_URI)" --output $@

bench: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m tests.benchmarks $(ARGS)

wheel: dist/made

dist/made: $(TOOLS)/installed hatch_build.py pyproject.toml README.md LICENSE \
           $(shell find function -type f ! -name '*.pyc' ! -name '*.so')
	@rm -rf dist/*.whl dist/linux $@; mkdir -p dist/linux
	@# The date is hatchling's own: the same files make the same wheels, whenever and wherever.
	@export SOURCE_DATE_EPOCH=1580601600; for arch in x86_64 aarch64; do \
	  ln -s /usr/include/$$(uname -m)-linux-gnu dist/linux/$$arch-linux-gnu; \
	  _PYTHON_HOST_PLATFORM=linux-$$arch CC="$(ZIG)" \
	    $(TOOLS)/bin/python -m hatchling build --target wheel --directory dist/linux \
	  && PATH="$(TOOLS)/bin:$$PATH" $(TOOLS)/bin/auditwheel repair --wheel-dir dist \
	    dist/linux/*-linux_$$arch.whl || exit 1; \
	done
	@rm -r dist/linux && touch $@

# An image is built without them too; the build says then what that costs.
image-wheel:
	@$(MAKE) --no-print-directory wheel || echo "The wheels could not be made: an image has the C code if one in dist/ fits."

image: image-wheel
	$(BUILD) --target registry --tag $(IMAGE):registry .
	@$(call add,registry,'$(LABEL)')

image-slim: image-wheel
	$(BUILD) --target slim --tag $(IMAGE):slim .
	@$(call add,slim,'$(LABEL)')

image-compiled: image-wheel
	$(BUILD) --target compiled --build-arg MODEL_URI="$(MODEL_URI)" \
	  --build-arg COMPILED_AT="$$(date -u +%FT%TZ)" \
	  --secret id=mlflow_tracking_uri,env=MLFLOW_TRACKING_URI \
	  --tag $(IMAGE):compiled .
	labels=$$($(DOCKER) run --rm $(IMAGE):compiled python -m function.labels) \
	  && $(call add,compiled,'$(LABEL)' "$$labels")

sbom: $(VENV)/installed-sbom
	@mkdir -p sbom
	@for kind in $(or $(BUILT),$(error no image is built yet: make image-slim, say)); do \
	  label=$$($(BIN)/python -m supply.sbom $(DOCKER) $(IMAGE):$$kind sbom/$$kind.cdx.json) \
	  && $(call add,$$kind,"$$label") >/dev/null && echo "sbom/$$kind.cdx.json" || exit 1; \
	done

audit: $(VENV)/installed-audit
	@$(BIN)/python -m supply.audit $(ARGS)

lock: $(VENV)/installed
	$(LOCK) --extra local --extra registry --extra server --extra jwt --extra otel --extra docs --upgrade \
	  --output-file requirements.txt
	$(SHARE) --output-file supply/server.txt
	$(SHARE) --extra registry --output-file supply/registry.txt
	$(LOCK) --no-annotate --constraints requirements.txt --extra wheel --output-file supply/wheel.txt

clean:
	rm -rf $(VENV) $(TOOLS) $(NATIVE) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12"; exit 1; }
	@echo "Creating $(VENV) and installing; about a minute the first time."
	@# Python's own way to a pip in there takes three seconds; a pip beside it is uv's way in.
	$(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python $(GET_UV) 2>/dev/null \
	  || { $(BIN)/python -m ensurepip >/dev/null && $(BIN)/python -m pip $(GET_UV); }
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -r requirements.txt pip
	@touch $@

$(VENV)/installed-test: $(VENV)/installed pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -r pyproject.toml --extra local --extra server --extra jwt --extra otel --extra sbom --extra test -c requirements.txt
	@# For axe-core's script alone: what the package depends on is a driver for browsers.
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps axe-playwright-python==0.1.8
	@touch $@

$(VENV)/installed-%: $(VENV)/installed pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet -r pyproject.toml --extra $* -c requirements.txt
	@touch $@

# Apart from the rest, which who builds images does without.
$(TOOLS)/installed: supply/wheel.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r supply/wheel.txt
	@touch $@

# Batches in a third of the time; without a C compiler all works, and it says so.
$(NATIVE): $(wildcard function/compiled/native/*.[ch]) $(VENV)/installed
	@$(BIN)/python -m function.build || true
