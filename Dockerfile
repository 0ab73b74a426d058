# Leadbeat's image: one for gateway, worker, exporter and the commands. It needs no root and writes nowhere but to /tmp, and the
# gateway to its spool in /var/lib/leadbeat.
# docker-compose.yml has the health checks: each service answers on another port.

# The Python that the test suite runs on.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv --without-pip /opt/leadbeat
COPY requirements.lock ./
RUN python -m pip --python /opt/leadbeat install --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY models ./models
COPY streams ./streams
RUN python -m pip --python /opt/leadbeat install --no-deps --no-index --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 leadbeat && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin leadbeat && \
    install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/leadbeat
COPY --from=build /opt/leadbeat /opt/leadbeat
ENV PATH=/opt/leadbeat/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["leadbeat"]
CMD ["--help"]
