# syntax=docker/dockerfile:1
# docker build -f deploy/docker/executor.Dockerfile --build-arg VERSION=v1.0.0 --build-arg COMMIT=0123456789abcdef -t sluice-executor .
# librdkafka is linked in and needs glibc: both images are of one Debian release. RUNTIME_IMAGE may be distroless cc of it.
ARG GO_IMAGE=golang:1.26-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=unknown
ENV CGO_ENABLED=1 GOCACHE=/cache/go-build
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache/go-build \
    go build -trimpath \
    -ldflags "-s -w -X github.com/sluice-project/sluice/internal/version.Version=${VERSION} -X github.com/sluice-project/sluice/internal/version.commit=${COMMIT}" \
    -o /out/sluice-executor ./cmd/sluice-executor

FROM ${RUNTIME_IMAGE}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sluice-executor /usr/bin/sluice-executor
USER 65532:65532
EXPOSE 8094
ENTRYPOINT ["/usr/bin/sluice-executor"]
