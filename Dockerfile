# One small image: the server and nothing that builds it. docs/operating.md says how to run it.

FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/fhir-server
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY fhir_server fhir_server
RUN PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
    /opt/fhir-server/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --create-home --uid 10001 fhir && install -d -o fhir -g fhir /data
COPY --from=build /opt/fhir-server /opt/fhir-server
ENV PATH=/opt/fhir-server/bin:$PATH \
    FHIR_SERVER_DATA=/data \
    FHIR_SERVER_LOG_FORMAT=json
USER fhir
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"FHIR_SERVER_PORT\", 8000)}/readyz', timeout=2)"]
ENTRYPOINT ["fhir-server"]
CMD ["serve", "--open"]
