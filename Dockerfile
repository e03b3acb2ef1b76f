# One image for every process of ours. Where there is no Docker engine, `make image` carries out this very file
# (e2e/image says which instructions it knows).
ARG SOURCE_DATE_EPOCH=1767225600

# What runs: Debian's Python; kmod for the agent, which may have to load the GPUs' driver again; the libraries that ROCm's
# libamd_smi.so, which comes from the host, asks for. Bytecode is checked against nothing: times of files differ from
# build to build, and a read-only root could not keep it anew.
FROM debian:bookworm-slim@sha256:7b140f374b289a7c2befc338f42ebe6441b7ea838a042bbd5acbfca6ec875818 AS python
ARG SOURCE_DATE_EPOCH
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends kmod libdrm-amdgpu1 python3 \
    && PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3.11 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /var/lib/dpkg/*-old /root/.cache
RUN echo "aim-gpu:x:65532:65532::/nonexistent:/usr/sbin/nologin" >> /etc/passwd \
    && echo "aim-gpu:x:65532:" >> /etc/group

# What is locked, without our own code: it changes seldom.
FROM python AS dependencies
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/aim-gpu UV_PYTHON=/usr/bin/python3 UV_NO_CACHE=1 UV_LINK_MODE=copy
WORKDIR /source
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv sync --locked --no-dev --no-install-project --extra otlp
RUN rm /opt/aim-gpu/.lock \
    && PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/aim-gpu/lib

FROM dependencies AS project
ARG SOURCE_DATE_EPOCH
COPY README.md LICENSE ./
COPY api api/
COPY controller controller/
# What builds is locked, too, and all that it needs.
RUN /uv/bin/uv export --quiet --locked --only-group build --output-file /constraints \
    && /uv/bin/uv build --quiet --wheel --require-hashes --build-constraints /constraints --out-dir /wheel \
    && /uv/bin/uv pip install --no-deps --python /opt/aim-gpu/bin/python --prefix /ours /wheel/*.whl \
    && rm /ours/.lock && cd /ours/lib/python3.11/site-packages/aim_gpu_sharing-*.dist-info \
    && rm direct_url.json uv_cache.json && sed -i "/direct_url.json/d; /uv_cache.json/d" RECORD \
    && PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash -s /ours -p /opt/aim-gpu /ours/lib

FROM python
LABEL org.opencontainers.image.title="aim-gpu-sharing" \
      org.opencontainers.image.description="Shares AMD Instinct GPUs among inference models" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nobody in a container has rights to gain: Debian's su, mount, passwd and their like lose theirs.
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +
# Two layers: the large one changes with the lock only, and can be kept.
COPY --from=dependencies /opt/aim-gpu /opt/aim-gpu
COPY --from=project /ours /opt/aim-gpu
ENV PATH=/opt/aim-gpu/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Numbers: what asks a container to be no root cannot look names up. Agents get their root by manifest.
USER 65532:65532
ENTRYPOINT ["aim-gpu"]
