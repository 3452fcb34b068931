# One image for every process: the service, the workers, the simulator. The command says which.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}

WORKDIR /app
# The dependencies first, with empty packages: they change seldom, so this layer is kept between builds. What setuptools
# leaves in build/ must go, or the empty packages would be installed again below.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir rosq orders_service worker \
 && touch rosq/__init__.py orders_service/__init__.py worker/__init__.py \
 && python -m pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[objects]' \
 && rm -rf build ./*.egg-info

COPY rosq rosq
COPY orders_service orders_service
COPY worker worker
COPY sql sql
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --force-reinstall . \
 && rm -rf build ./*.egg-info

ENV ORDERS_SERVICE_SQL_DIR=/app/sql PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --create-home rosq && mkdir -p /var/lib/rosq && chown rosq /var/lib/rosq \
 && mkdir -m 700 /var/lib/rosq-secrets && chown rosq /var/lib/rosq-secrets
USER rosq
VOLUME /var/lib/rosq
STOPSIGNAL SIGTERM
CMD ["orders-service", "serve"]
