# torch comes with CUDA from the default index, gigabytes that syncer does not need: name an index with the CPU build,
# docker build --build-arg PIP_EXTRA_INDEX_URL=…
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/syncer
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY migrations migrations
COPY syncer syncer
RUN /opt/syncer/bin/pip install -c constraints.txt '.[embedding,serve,traces]'

FROM python:3.11-slim
RUN useradd --system --create-home --home-dir /var/lib/syncer --uid 10001 syncer
COPY --from=build /opt/syncer /opt/syncer
ENV PATH=/opt/syncer/bin:$PATH PYTHONUNBUFFERED=1 HF_HOME=/var/lib/syncer/huggingface SYNCER_CONFIG=/etc/syncer/syncer.yaml
USER syncer
WORKDIR /var/lib/syncer
ENTRYPOINT ["syncer"]
CMD ["run"]
