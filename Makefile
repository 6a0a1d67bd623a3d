# Everything a developer does. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The tools are pinned in tools/go.mod and built once into .cache, keyed by its checksums.
TOOLS_KEY := $(shell cat tools/go.mod tools/go.sum | cksum | cut -d' ' -f1)
TOOLS     := $(CURDIR)/.cache/tools-$(TOOLS_KEY)
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT    := $(shell git rev-parse --short=16 HEAD 2>/dev/null || echo unknown)
LDFLAGS   := -X github.com/sluice-project/sluice/internal/version.Version=$(VERSION) -X github.com/sluice-project/sluice/internal/version.commit=$(COMMIT)
GO        ?= go
K8S_VALIDATE := $(CURDIR)/.cache/kubernetes-validate-1.37.0
SCHEMATHESIS := $(CURDIR)/.cache/schemathesis-4.32.5

.PHONY: help
help: ## Print this help.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build every binary into bin/.
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...


.PHONY: demo
demo: build ## Move a real text through Kafka with one command. FILE=path, LINES=n, ONCE=1.
	@bin/sluice demo $(if $(FILE),--file '$(FILE)') $(if $(LINES),--lines $(LINES)) $(if $(filter 1,$(ONCE)),--once)

.PHONY: test
test: ## Unit, property, contract and in-process end-to-end tests, under the race detector.
	$(GO) test -race -timeout 600s ./...


.PHONY: asan
asan: ## The C of executor/kafkaio under the address sanitizer, leaks included. Needs gcc or clang with it.
	$(GO) test -asan -count=1 -timeout 600s ./executor/kafkaio

.PHONY: integration
integration: guards ## On a real Kafka and etcd: the main job, separate processes that are killed, and connectors against their systems. Needs a JDK, Maven, PostgreSQL, MariaDB and Python 3 with venv, and says so. SLUICE_GOLDENS=dir also replays recorded answers.
	$(GO) test -tags integration -count=1 -timeout 1800s -v -p 1 ./integration/kafka ./integration/goldens ./integration/cluster ./integration/systems/...

.PHONY: story
story: ## A table of PostgreSQL through Kafka into OpenSearch and into Parquet files on S3: examples/orders, with real servers. Needs a JDK, Maven, PostgreSQL and Python 3 with venv, and says so.
	$(GO) test -tags integration -count=1 -timeout 1800s -run '^TestOrders_' -v ./integration/systems

.PHONY: compat
compat: $(SCHEMATHESIS)/bin/schemathesis ## Against the real Kafka Connect 4.3.1: its topics byte for byte, taken over, handed back; a table of pipelines; clients in Python, Java and Node.js; Schemathesis against the OpenAPI document. Needs a JDK, Maven, Python 3 with venv, Node.js and npm.
	SCHEMATHESIS=$(SCHEMATHESIS)/bin/schemathesis $(GO) test -tags integration -count=1 -timeout 1800s -v -p 1 ./integration/compat

.PHONY: chaos
chaos: ## The story of processes that are killed, exactly-once sources and sinks under fire, and the connectors of S3, HTTP and databases, longer and in any order. KILLS=200 SEED=n.
	CHAOS_KILLS=$(or $(KILLS),200) CHAOS_SEED=$(or $(SEED),1) $(GO) test -tags integration -count=1 -timeout 5h -run Chaos -v ./integration/cluster
	CHAOS_KILLS=$(or $(KILLS),20) $(GO) test -tags integration -count=1 -timeout 4h -run Chaos -v ./integration/systems
	JDBC_KILLS=$(or $(KILLS),20) $(GO) test -tags integration -count=1 -timeout 2h -run FromOneDatabaseToTheOther -v ./integration/systems/jdbc

.PHONY: guards
guards: ## Each guard of promise 2 in, then out: the checker of histories has to see it.
	$(GO) test -tags faults -count=1 -timeout 600s ./integration/promises

.PHONY: figures
figures: ## Measures failover, drains and memory: the figures of docs/figures.md. ROUNDS=10.
	FIGURES=$(or $(ROUNDS),10) $(GO) test -tags integration -count=1 -timeout 3600s -run Figures -v ./integration/cluster

.PHONY: verify
verify: build $(TOOLS)/buf $(TOOLS)/kustomize $(K8S_VALIDATE)/bin/kubernetes-validate ## Render deploy/, validate it, check it against the binaries, and the references for what is stale. Needs Python 3 with venv.
	BUF=$(TOOLS)/buf KUSTOMIZE=$(TOOLS)/kustomize KUBERNETES_VALIDATE=$(K8S_VALIDATE)/bin/kubernetes-validate SLUICE_BIN=$(CURDIR)/bin \
	  $(GO) test -tags verify -count=1 -timeout 600s ./deploy/verify

.PHONY: bench
bench: ## Kafka Connect 4.3.1 and Sluice side by side, into docs/benchmarks. JOBS=regex, ROUNDS=5, RECORDS=n, CONNECTORS=n (of idle jobs). Needs a JDK and Maven, and PostgreSQL for the job jdbc.
	BENCH_JOBS='$(or $(value JOBS),.)' BENCH_ROUNDS=$(ROUNDS) BENCH_RECORDS=$(RECORDS) BENCH_CONNECTORS=$(CONNECTORS) $(GO) test -tags integration -count=1 -timeout 3h -run '^TestBench$$' -v ./integration/bench

.PHONY: microbench
microbench: ## Benchmarks of the hot path: nanoseconds and allocations per record.
	$(GO) test -run '^$$' -bench . -benchmem ./executor/... ./connectors/...

# Every input that makes it fail is written to the package's testdata/fuzz, where make test finds it from then on.
.PHONY: fuzz
fuzz: ## Each fuzz target, one after another, with one worker. FUZZTIME=10m.
	@grep -ro --exclude-dir=.cache --include=*_test.go '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | sort -u | while read -r dir name; do \
	  echo "$$dir $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),10m) -fuzzminimizetime 2s -parallel 1 "$$dir" </dev/null || exit 1; \
	done

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/buf ## Lint Go and protos.
	$(TOOLS)/golangci-lint run --timeout 15m ./...
	$(TOOLS)/buf lint

.PHONY: generate
generate: $(TOOLS)/buf ## Generate Go and the OpenAPI document from the protos, and the references in docs/.
	PATH=$(TOOLS):$$PATH $(TOOLS)/buf generate
	set -o pipefail; $(TOOLS)/buf build proto -o - | $(GO) run ./gateway/rest/gen
	$(GO) run ./connectors/builtin/gen
	$(GO) run ./cmd/internal/process/gen

.PHONY: oracle
oracle: ## Ask Kafka Connect's own transforms and converters again: connectors/{transform,converter}/testdata. Needs a JDK of 19 or newer and Maven. SEED=1.
	cd integration/compat/oracle && mvn -q -B dependency:copy-dependencies -DoutputDirectory=target/libs && \
	  java -Duser.timezone=UTC -cp 'target/libs/*' Oracle.java ../../../connectors $(or $(SEED),1)

.PHONY: generated
generated: generate ## Fail where a generated file is stale.
	@git diff --exit-code -- proto gateway/rest/openapi.json docs/rest.md docs/configs.md docs/connectors docs/transforms || { echo 'run `make generate` and commit the result'; exit 1; }

$(TOOLS)/buf:
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $(TOOLS)/ github.com/bufbuild/buf/cmd/buf google.golang.org/protobuf/cmd/protoc-gen-go \
	  google.golang.org/grpc/cmd/protoc-gen-go-grpc github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway

$(TOOLS)/golangci-lint:
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $(TOOLS)/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/kustomize:
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $(TOOLS)/kustomize sigs.k8s.io/kustomize/kustomize/v5

$(K8S_VALIDATE)/bin/kubernetes-validate:
	python3 -m venv $(K8S_VALIDATE)
	$(K8S_VALIDATE)/bin/pip install --quiet kubernetes-validate==1.37.0

$(SCHEMATHESIS)/bin/schemathesis:
	python3 -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip install --quiet schemathesis==4.32.5

$(TOOLS)/grpcurl:
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $(TOOLS)/ github.com/fullstorydev/grpcurl/cmd/grpcurl

.PHONY: grpcurl
grpcurl: $(TOOLS)/grpcurl ## Build grpcurl; prints where it is.
	@echo $(TOOLS)/grpcurl
