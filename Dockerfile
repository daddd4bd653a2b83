# docker build --target cpu --build-arg TORCH_INDEX=… -t stream-ocr .
# docker build --target cuda -t stream-ocr:cuda .
# docker run --rm --network none --read-only --tmpfs /tmp -v "$PWD:/data" stream-ocr read match.mp4 -o events.jsonl
#
# TORCH_INDEX: PyTorch's index of CPU builds, from the installation page of PyTorch. Without it the default build is
# taken, which works as well but brings the CUDA libraries along.

FROM python:3.11-slim-bookworm AS source
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY stream_ocr stream_ocr
COPY weights weights
RUN python -m venv /opt/stream-ocr
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

FROM source AS build-cpu
ARG TORCH_INDEX=
RUN /opt/stream-ocr/bin/pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt '.[ppocr]'

# The default build of torch carries CUDA; ONNX Runtime has a package of its own for it, of the same modules.
FROM source AS build-cuda
RUN /opt/stream-ocr/bin/pip install -c constraints.txt '.[ppocr]' \
    && /opt/stream-ocr/bin/pip uninstall -y onnxruntime \
    && /opt/stream-ocr/bin/pip install onnxruntime-gpu

FROM python:3.11-slim-bookworm AS runtime
# tini gathers orphaned processes; the font writes the labels of annotated videos.
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

# The last one is what is built when no target is named.
FROM runtime AS cpu
COPY --from=build-cpu /opt/stream-ocr /opt/stream-ocr
