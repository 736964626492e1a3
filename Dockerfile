# vidcolor in a container: docker build -t vidcolor . && docker run --rm -v "$PWD/films:/films" vidcolor restore /films
#
#   --build-arg TORCH=cu128    a torch for NVIDIA GPUs; then docker run --gpus all ...
#   --user "$(id -u):$(id -g)" with docker run: outputs belong to you, whoever you are
FROM python:3.11-slim-bookworm AS build
ARG TORCH=cpu
ARG EXTRAS=ray
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY streams streams
COPY vidcolor vidcolor
COPY demo demo
# A build with a local name (2.13.0+cpu) goes before the same version without one.
RUN python -m venv /opt/vidcolor \
    && /opt/vidcolor/bin/pip install --no-cache-dir --disable-pip-version-check \
        --extra-index-url "https://download.pytorch.org/whl/${TORCH}" ".[${EXTRAS}]"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/vidcolor /opt/vidcolor
# Whoever runs it needs a home that can be written to; the films are not it. A folder alone means all films in it here.
ENV PATH=/opt/vidcolor/bin:$PATH HOME=/tmp VIDCOLOR_FOLDERS=1
RUN useradd --uid 1000 --no-create-home film && mkdir /films && chown film /films
USER film
WORKDIR /films
EXPOSE 7860
ENTRYPOINT ["vidcolor"]
CMD ["--help"]
