# docker build --build-arg TORCH_INDEX=… -t stream-ocr .          CPU, extras ppocr and torch
# docker build --target slim -t stream-ocr:slim .                 CPU, extra ppocr: reads, but does not train
# docker build --target cuda -t stream-ocr:cuda .                 GPU, the same extras
# docker build --target cluster -t stream-ocr:cluster .           CPU, extras ppocr, archive, cluster, nats: many machines
# docker run --rm --network none --read-only --tmpfs /tmp -v "$PWD:/data" stream-ocr read match.mp4 -o events.jsonl
#
# TORCH_INDEX: PyTorch's index of CPU builds, from the installation page of PyTorch. Without it, pip installs the default
# build, which also works but includes the CUDA libraries.

FROM python:3.11-slim-bookworm AS source
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY locks locks
COPY stream_ocr stream_ocr
COPY weights weights
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Everything is installed in locked versions with hashes, except what is said below to have none.
RUN python -m venv /build \
    && /build/bin/pip install --require-hashes -r locks/build.txt \
    && /build/bin/pip wheel --no-deps --no-build-isolation -w /dist . \
    && python -m venv /opt/stream-ocr

FROM source AS build-slim
RUN /opt/stream-ocr/bin/pip install --no-compile --require-hashes -r locks/run.txt \
    && /opt/stream-ocr/bin/pip install --no-compile --no-deps /dist/*.whl

FROM source AS build-cluster
RUN /opt/stream-ocr/bin/pip install --no-compile --require-hashes -r locks/cluster.txt \
    && /opt/stream-ocr/bin/pip install --no-compile --no-deps /dist/*.whl

# torch has a locked version and no hashes: its builds for CPU and CUDA are different files of one version.
FROM source AS build-cpu
ARG TORCH_INDEX=
RUN /opt/stream-ocr/bin/pip install --require-hashes -r locks/run.txt \
    && /opt/stream-ocr/bin/pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt torch \
    && /opt/stream-ocr/bin/pip install --no-deps /dist/*.whl

# The default build of torch carries CUDA; ONNX Runtime has a package of its own for it, of the same modules (no hashes).
FROM source AS build-cuda
RUN /opt/stream-ocr/bin/pip install --require-hashes -r locks/run.txt \
    && /opt/stream-ocr/bin/pip install -c constraints.txt torch \
    && /opt/stream-ocr/bin/pip install --no-deps /dist/*.whl \
    && /opt/stream-ocr/bin/pip uninstall -y onnxruntime \
    && /opt/stream-ocr/bin/pip install onnxruntime-gpu

FROM python:3.11-slim-bookworm AS runtime
# tini reaps orphaned processes; the font is for the labels of annotated videos.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-dejavu-core tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin reader \
    && install -d -o reader -g reader /data
ENV PATH=/opt/stream-ocr/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /data
USER 10001:10001
ENTRYPOINT ["tini", "--", "stream-ocr"]
CMD ["--help"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/stream-ocr /opt/stream-ocr
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video

FROM runtime AS cluster
COPY --from=build-cluster /opt/stream-ocr /opt/stream-ocr

FROM runtime AS slim
COPY --from=build-slim /opt/stream-ocr /opt/stream-ocr

# The last stage is the default target.
FROM runtime AS cpu
COPY --from=build-cpu /opt/stream-ocr /opt/stream-ocr
