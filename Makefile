# make run    first prediction in two minutes: installs, trains the demo model if needed, serves
# make test   the same set-up, then ruff, mypy and the whole test suite but the containers'
# make test-containers  builds the images and tests them; needs podman and buildah, or docker
# make fuzz   100,000 requests that no client should send, at both doors
# make soak   five minutes of load at 64 connections: errors, latency, memory (needs wrk, two cores)
# make bench  measure this project and its peers, side by side (1-2 hours; needs wrk, two cores)
# make image            the image that loads MODEL_URI from the registry when it starts
# make image-slim       the one for every model that is published there: no MLflow, no scikit-learn
# make image-compiled   the image with MODEL_URI built in, labelled with its lineage
# make lock   refresh requirements.txt and the images' share of it from pyproject.toml

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NATIVE := function/compiled/_native.abi3.so
PORT   ?= 8080
export PORT
DOCKER ?= docker
IMAGE  ?= sentiment-function
MODEL_URI ?= models:/prod-sentiment-classifier/Production

LOCK      = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --no-header \
  --generate-hashes --quiet
# A share has the versions of the whole, and no cryptography (the Dockerfile says why).
SHARE     = $(LOCK) --no-annotate --constraints requirements.txt --extra server \
  $(foreach name,cryptography cffi pycparser,--no-emit-package $(name))

.PHONY: run test test-containers fuzz soak bench image image-slim image-compiled lock clean

run: $(VENV)/installed $(NATIVE)
	@$(BIN)/python -m function.demo --if-missing
	@echo "Serving on http://localhost:$(PORT) (Ctrl-C stops). Try:"
	@echo "  curl http://localhost:$(PORT)/predict -H 'Content-Type: application/json' -d '{\"text\": \"This product is amazing!\"}'"
	@exec $(BIN)/functions-framework --target=handle

test: $(VENV)/installed-test $(NATIVE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto -m "not container"

test-containers: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m pytest -m container

fuzz: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: $(VENV)/installed-test $(NATIVE) .bench/demo
	$(BIN)/python -m tests.benchmarks.soak --model .bench/demo $(ARGS)

.bench/demo: $(VENV)/installed
	$(BIN)/python -m function.demo --if-missing
	$(BIN)/python -m function.compile "$(MODEL_URI)" --output $@

bench: $(VENV)/installed-test $(NATIVE)
	$(BIN)/python -m tests.benchmarks $(ARGS)

image:
	$(DOCKER) build --target registry $(BUILD_ARGS) --tag $(IMAGE):registry .

image-slim:
	$(DOCKER) build --target slim $(BUILD_ARGS) --tag $(IMAGE):slim .

# A build cannot label its own image with what it found out: a second, one-line build does.
image-compiled:
	$(DOCKER) build --target compiled --build-arg MODEL_URI="$(MODEL_URI)" \
	  --build-arg COMPILED_AT="$$(date -u +%FT%TZ)" \
	  --secret id=mlflow_tracking_uri,env=MLFLOW_TRACKING_URI $(BUILD_ARGS) \
	  --tag $(IMAGE):compiled .
	labels=$$($(DOCKER) run --rm $(IMAGE):compiled python -m function.labels) \
	  && printf 'FROM %s\n%s\n' $(IMAGE):compiled "$$labels" \
	  | $(DOCKER) build --tag $(IMAGE):compiled -

lock: $(VENV)/installed
	$(LOCK) --extra local --extra registry --extra server --extra jwt --extra otel --upgrade \
	  --output-file requirements.txt
	$(SHARE) --output-file supply/server.txt
	$(SHARE) --extra registry --output-file supply/registry.txt

clean:
	rm -rf $(VENV) $(NATIVE) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12"; exit 1; }
	@echo "Creating $(VENV) and installing; about a minute the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --compile-bytecode -r requirements.txt
	@touch $@

$(VENV)/installed-test: $(VENV)/installed pyproject.toml
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -r pyproject.toml --extra local --extra server --extra jwt --extra otel --extra test -c requirements.txt
	@touch $@

# Batches in half the time; without a C compiler all works, and it says so.
$(NATIVE): function/compiled/native.c $(VENV)/installed
	@$(BIN)/python -m function.build || true
