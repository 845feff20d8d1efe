# One image for the controller, the agent, keepalived and gobgpd. Debian 12, because its keepalived 2.2.7 is the one whose
# behaviour was measured. `make image-check` does these steps without a container engine.

FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY templates templates
COPY manifests manifests
COPY vipmgr vipmgr
RUN python3 -m venv /opt/vipmgr/venv \
 && PIP_CONSTRAINT=/src/requirements.lock /opt/vipmgr/venv/bin/pip install --no-cache-dir . \
 && install -m 755 vipmgr/node/keepalived-run.sh vipmgr/node/gobgpd-run.sh vipmgr/node/bgp/install-gobgpd.sh /opt/vipmgr/

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 keepalived iproute2 procps \
 && rm -rf /var/lib/apt/lists/* /etc/keepalived
COPY --from=build /opt/vipmgr /opt/vipmgr
RUN apt-get update && /opt/vipmgr/install-gobgpd.sh && rm -rf /var/lib/apt/lists/*
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/vipmgr/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/opt/vipmgr/venv/bin/vipmgr"]
