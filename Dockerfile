# Three images from one file; docs/container.md has the commands.
#   registry (default)  loads MODEL_URI through MLflow on cold start
#   slim                serves what is published in the registry: no MLflow, scikit-learn, pandas or
#                       numpy, and nothing of any model; MODEL_URI says which when it runs
#   compiled            slim with one model version built in, which needs no registry
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS base
# Official Python images ship the standard library without its bytecode, and a read-only root
# cannot keep any: each cold start would compile it again. What has its bytecode is left alone.
RUN python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|lib2to3|pydoc_data|(site|dist)-packages|tests?|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# HOME: an arbitrary uid has none. The allocator keeps memory apart for each thread, and threads here
# take turns.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=1 \
    GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
    HOME=/tmp \
    PORT=8080
WORKDIR /app


# The packages: exactly the locked ones, each file one of those whose hash is there (make lock).
FROM base AS server-packages
WORKDIR /build
COPY supply/server.txt ./
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps \
      --require-hashes --only-binary :all: -r server.txt \
 && printf '%s\n' 'import importlib, sys' \
      'for name in sys.argv[1:]: importlib.import_module(name)' \
      'files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]' \
      'print(*(f for f in files if f.startswith("/opt/venv/") and f.endswith(".py")), sep="\n")' \
      >imported.py \
 && python imported.py functions_framework httptools pydantic >server-files.txt \
 && python -m compileall -q --invalidation-mode unchecked-hash -i server-files.txt

# EXTRA_REQUIREMENTS: packages of the operator's own, in any of the images.
FROM server-packages AS slim-packages
COPY requirements.txt ./
COPY supply/extras.py supply/locks.py supply/
ARG EXTRA_REQUIREMENTS=""
RUN python -m supply.extras /opt/venv $EXTRA_REQUIREMENTS

FROM server-packages AS registry-packages
# To stay within 150 MB: bytecode only for what loading a model imports (for every file it would be
# twice as large); no tests, headers and sample data; and the lock is without cryptography, which
# google-auth needs to sign in to Databricks on Google Cloud and for nothing else:
# EXTRA_REQUIREMENTS brings it back.
COPY supply/registry.txt ./
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps \
      --require-hashes --only-binary :all: -r registry.txt \
 && cd /opt/venv/lib/python3*/site-packages \
 && find joblib numpy pandas scipy sklearn skops \( -type d \( -name test -o -name tests \) \
      -o -path sklearn/datasets/images -o -path sklearn/datasets/data \
      -o -name '*.h' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.pyx' \) -prune -exec rm -r '{}' + \
 && GIT_PYTHON_REFRESH=quiet MLFLOW_DISABLE_TELEMETRY=true python -W ignore /build/imported.py \
      functions_framework httptools pydantic \
      mlflow.artifacts mlflow.pyfunc mlflow.sklearn pandas skops.io yaml >/build/registry-files.txt \
 && python -m compileall -q --invalidation-mode unchecked-hash -i /build/registry-files.txt
COPY requirements.txt ./
COPY supply/extras.py supply/locks.py supply/
ARG EXTRA_REQUIREMENTS=""
RUN python -m supply.extras /opt/venv $EXTRA_REQUIREMENTS

# The C code comes built, in the wheels of `make wheel`. NATIVE=auto goes without where none fits, and
# says so; yes fails then; no leaves it out.
FROM base AS native
WORKDIR /build
COPY LICENSE dist/*.whl wheels/
COPY function function
COPY supply/native.py supply/
ARG NATIVE=auto
RUN python -m supply.native wheels "$NATIVE"

FROM base AS code
COPY LICENSE main.py ./
COPY --from=native /build/function function
RUN python -m compileall -q --invalidation-mode unchecked-hash .

# The start in one file: a wake-up then takes half the time of the processor (function/bundle).
FROM server-packages AS bundled-code
WORKDIR /app
COPY --from=code /app .
RUN python -m function.bundle serve.pyc


# The authorities that the base trusts are what an https registry is checked against: certifi, whose
# list comes before them, is one of the packages of the registry image.
FROM base AS slim
LABEL org.opencontainers.image.title="sentiment-function" \
      org.opencontainers.image.description="Text classifiers published in the MLflow Model Registry, served over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=slim-packages /opt/venv /opt/venv
COPY --from=bundled-code /app /app
EXPOSE 8080
USER 65532:65532
CMD ["python", "-I", "-S", "/app/serve.pyc"]


# The model: compiled from MLflow, or the folder `model` of the build context as it is.
# MODEL_REQUIREMENTS: what only reading it takes, a store's package, say; no image keeps them.
FROM registry-packages AS model
ARG MODEL_REQUIREMENTS=""
RUN python -m supply.extras /opt/venv $MODEL_REQUIREMENTS
WORKDIR /app
COPY . .
COPY --from=code /app .
ARG MODEL_URI=""
# --allow-code, for a model with functions of its own; ALLOW_MODEL_CODE=true then lets them run.
ARG COMPILE_OPTIONS=""
# A layer is cached by MODEL_URI, and an alias may have moved since: make image-compiled sets it.
ARG COMPILED_AT=""
RUN --mount=type=secret,id=mlflow_tracking_uri \
    --mount=type=secret,id=mlflow_tracking_username \
    --mount=type=secret,id=mlflow_tracking_password \
    --mount=type=secret,id=mlflow_tracking_token \
    --mount=type=secret,id=mlflow_env \
    set -e; \
    if [ -f /run/secrets/mlflow_env ]; then set -a; . /run/secrets/mlflow_env; set +a; fi; \
    for name in uri username password token; do \
      if [ -f "/run/secrets/mlflow_tracking_$name" ]; then \
        export "MLFLOW_TRACKING_$(echo $name | tr a-z A-Z)=$(cat "/run/secrets/mlflow_tracking_$name")"; \
      fi; \
    done; \
    if [ -z "$MODEL_URI" ]; then \
      echo "Say which model to build in: --build-arg MODEL_URI=models:/name/3" >&2; exit 1; \
    elif [ -f "$MODEL_URI/manifest.json" ]; then \
      cp -R "$MODEL_URI" /model; \
    else \
      python -m function.compile "$MODEL_URI" $COMPILE_OPTIONS --output /model; \
    fi; \
    cd /model && sha256sum --quiet --check SHA256SUMS


FROM slim AS compiled
LABEL org.opencontainers.image.description="One compiled text classifier, served over HTTP"
COPY --from=model /model /app/model
ENV COMPILED_MODEL=/app/model


FROM base AS registry
LABEL org.opencontainers.image.title="sentiment-function" \
      org.opencontainers.image.description="Text classifiers from the MLflow Model Registry, served over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=registry-packages /opt/venv /opt/venv
COPY --from=code /app /app
# Threads: BLAS would start one for each of the node's cores.
ENV GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
EXPOSE 8080
USER 65532:65532
CMD ["python", "-m", "function.serve"]
