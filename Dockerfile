# One image for every process: `web`, `ingest`, `relay`, `gateway`, `feed`, `migrate`, `init` are sub-commands of app.py.
#
# Not built on the machine where it was written (no Docker engine there). tests/deploy/test_image.py holds that it
# installs the lock file of `make install` and starts the entry point of `make run`.
FROM python:3.12-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CHENGYUN_HTTP_HOST=0.0.0.0 \
    CHENGYUN_HTTP_PORT=8050 \
    CHENGYUN_VAR=/var/lib/chengyun

# For `mosquitto`: the broker in front of `gateway`.
RUN apt-get update && apt-get install -y --no-install-recommends mosquitto && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10001 --home-dir /var/lib/chengyun --create-home --shell /usr/sbin/nologin chengyun

WORKDIR /opt/chengyun
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r requirements.lock

COPY app.py settings.py ./
COPY gis ./gis
COPY incidents ./incidents
COPY streams ./streams
COPY data ./data
COPY layouts ./layouts
COPY callbacks ./callbacks
COPY deploy ./deploy

USER chengyun
VOLUME /var/lib/chengyun
EXPOSE 8050

# For `web`; compose switches it off for the processes that serve no pages.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['CHENGYUN_HTTP_PORT'] + '/healthz', timeout=4)"]

ENTRYPOINT ["python", "app.py"]
CMD ["web"]
