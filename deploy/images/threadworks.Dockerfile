# docker build --file deploy/images/threadworks.Dockerfile --tag threadworks/threadworks:0.1.0 .   (in the root of the repository)
ARG PYTHON=3.13

# What the lock names, each file with its hash.
FROM python:${PYTHON}-slim AS lock
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
RUN ["pip", "install", "--no-cache-dir", "--root-user-action=ignore", "uv==0.13.9"]
WORKDIR /build
COPY locks/threadworks.txt ./lock.txt
RUN ["uv", "venv", "/opt/threadworks"]
RUN ["uv", "pip", "sync", "--python", "/opt/threadworks", "--require-hashes", "lock.txt"]

# Our own packages, without their dependencies, which came from the lock.
FROM lock AS members
COPY contracts ./contracts
COPY libs/event-bus ./libs/event-bus
COPY libs/file-store ./libs/file-store
COPY libs/observability ./libs/observability
COPY libs/run-engine ./libs/run-engine
COPY libs/service-process ./libs/service-process
COPY libs/tool-service ./libs/tool-service
COPY cli ./cli
RUN ["uv", "pip", "install", "--python", "/opt/threadworks", "--no-deps", "--no-sources", "--target", "/opt/members", "./contracts", "./libs/event-bus", "./libs/file-store", "./libs/observability", "./libs/run-engine", "./libs/service-process", "./libs/tool-service", "./cli"]

# A layer for each of the two: the second is small, and often the only one that is new.
FROM python:${PYTHON}-slim
ARG PYTHON
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python${PYTHON}/site-packages/pip*
COPY --from=lock /opt/threadworks /opt/threadworks
COPY --from=members /opt/members /opt/threadworks/lib/python${PYTHON}/site-packages
ENV PATH=/opt/threadworks/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python", "-m", "threadworks"]
