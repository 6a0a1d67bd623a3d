# syntax=docker/dockerfile:1
# docker build -f deploy/docker/controlplane.Dockerfile --build-arg VERSION=v1.0.0 --build-arg COMMIT=0123456789abcdef -t sluice-controlplane .
# A static binary and the certificates of public authorities, nothing else. RUNTIME_IMAGE may be a distroless static image.
ARG GO_IMAGE=golang:1.26-bookworm
ARG RUNTIME_IMAGE=scratch

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=unknown
ENV CGO_ENABLED=0 GOCACHE=/cache/go-build
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/cache/go-build \
    go build -trimpath \
    -ldflags "-s -w -X github.com/sluice-project/sluice/internal/version.Version=${VERSION} -X github.com/sluice-project/sluice/internal/version.commit=${COMMIT}" \
    -o /out/sluice-controlplane ./cmd/sluice-controlplane

FROM ${RUNTIME_IMAGE}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sluice-controlplane /usr/bin/sluice-controlplane
USER 65532:65532
EXPOSE 8082 8092
ENTRYPOINT ["/usr/bin/sluice-controlplane"]
