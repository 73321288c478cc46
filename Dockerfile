# Two images: `docker build --target api .` and `docker build --target worker .`.
# docs/containers.md says how they are used and how these steps were checked.

FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171 AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home cntk-jobs \
    && install --directory --owner cntk-jobs --group cntk-jobs /var/lib/cntk-jobs
WORKDIR /opt/cntk-jobs

FROM base AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

FROM build AS modern
COPY requirements/runtime.txt requirements/
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-deps --require-hashes --requirement requirements/runtime.txt

FROM build AS trainer
COPY requirements requirements
COPY scripts scripts
# The interpreter lies outside of any home, so that the worker's user can run it.
ENV UV_PYTHON_INSTALL_DIR=/opt/python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/setup \
    && /opt/setup/bin/pip install --no-deps --require-hashes --requirement requirements/setup.txt \
    && mkdir -p /opt/python \
    && PATH=/opt/setup/bin:$PATH scripts/setup --trainer-only

FROM base AS service
COPY --from=modern /opt/cntk-jobs/.venv .venv
COPY jobs jobs
COPY ingest ingest
COPY trainer trainer
ENV PATH=/opt/cntk-jobs/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CNTK_JOBS_HOME=/var/lib/cntk-jobs MPLCONFIGDIR=/tmp/matplotlib
VOLUME /var/lib/cntk-jobs

FROM service AS api
COPY app app
COPY examples examples
USER cntk-jobs
# Inside its own network namespace; what the outside reaches is up to who publishes the port.
ENV CNTK_JOBS_HOST=0.0.0.0 CNTK_JOBS_PORT=8765
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
CMD ["python", "-m", "app"]

FROM service AS worker
COPY --from=trainer /opt/python /opt/python
COPY --from=trainer /opt/cntk-jobs/.venv-trainer .venv-trainer
COPY worker worker
USER cntk-jobs
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-m", "worker.health"]
CMD ["python", "-m", "worker"]
