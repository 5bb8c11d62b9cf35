# The image of a node of a cluster, see docs/cluster.md: docker build -t recurrent-search .
# It has what is committed. A change that is not committed is not in it.

# The first stage has git and a compiler. The second one has neither.
FROM python:3.12-bookworm AS build
# 1: with the CUDA and cuDNN of NVIDIA that TensorFlow needs on a GPU.
ARG gpu=0
WORKDIR /src
COPY requirements.lock ./
COPY .git .git/
# Installed from a repository, so that pip notes the commit: every node of a cluster has to have the same one.
RUN extras=kubernetes && if [ "$gpu" = 1 ]; then extras=kubernetes,gpu; fi && \
    python -m venv /opt/venv && \
    /opt/venv/bin/pip install --no-cache-dir -c requirements.lock "recurrent-search[$extras] @ git+file://localhost/src"

FROM python:3.12-slim-bookworm
COPY --from=build /opt/venv /opt/venv
# A search writes into the current folder, so /data is where a volume goes.
RUN useradd --create-home --uid 1000 recurrent && install --directory --owner=1000 --group=1000 /data
# Ray would tell its makers of each cluster.
ENV PATH=/opt/venv/bin:$PATH RAY_USAGE_STATS_ENABLED=0
# A number, since Kubernetes cannot tell of a name whether it is root.
USER 1000:1000
WORKDIR /data
CMD ["recurrent", "--help"]
