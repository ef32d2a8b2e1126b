# Everything the project does to itself. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export CGO_ENABLED = 1

# Tools run at these versions; nothing is installed for them.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

UI := internal/web/ui
UI_SOURCES := $(wildcard $(UI)/src/*) $(UI)/package.json $(UI)/tsconfig.json $(UI)/vite.config.js
FUZZTIME ?= 30s
SCALE ?= 0.1
INTAKE_SCALE ?= 1
BUILD_SCALE ?= 1
CHDB := chdb@3.4.0 # ClickHouse in the process, a peer in benchmarks only

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

.PHONY: setup
setup: ## check for Go, a C++ compiler, Node.js; install what can be installed
	@scripts/setup demo

.PHONY: setup-test
setup-test: ## the same, and the databases and programs that tests run against
	@scripts/setup test

.PHONY: ui
ui: $(UI)/dist/islands.js ## build the charts of the pages (only when their sources changed)

$(UI)/node_modules/.package-lock.json: $(UI)/package-lock.json
	npm --prefix $(UI) ci --no-audit --no-fund
	@touch $@

$(UI)/dist/islands.js: $(UI)/node_modules/.package-lock.json $(UI_SOURCES)
	npm --prefix $(UI) run build
	@touch $@

.PHONY: build
build: ui ## build bin/unspoof
	go build -o bin/unspoof ./cmd/unspoof

.PHONY: demo
demo: setup build ## make a synthetic seizure, run the whole job on it, serve the case (folder demo)
	bin/unspoof demo

.PHONY: test
test: setup-test ui ## everything that must hold: linters and all tests, none skipped for want of a tool
	@status=0; $(MAKE) lint || status=1; \
	echo 'go test -timeout 25m ./...'; CI=true go test -timeout 25m ./... || status=1; exit $$status

.PHONY: lint
lint: ui ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l *.go cmd internal); if [[ -n $$out ]]; then echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: accuracy
accuracy: ## what the rules find against the known truth of three synthetic seizures; writes docs/accuracy.md
	go test ./cmd/unspoof -run '^TestAccuracy$$' -v -count 1 -timeout 60m -args -accuracy.scale 0.05 -accuracy.seeds 3 -accuracy.out '$(CURDIR)/docs/accuracy.md'

.PHONY: bench
bench: setup-test build ## the whole job on 7 million rows beside the same dump's import into MariaDB
	go test ./cmd/unspoof -run '^TestBench$$' -count 1 -timeout 60m -v -bench.scale $(SCALE)

.PHONY: bench-intake
bench-intake: setup-test build ## reading 14 million calls beside ClickHouse and MariaDB, and a whole seizure of 70 million rows (45 GB of disk, half an hour)
	npm --prefix out/peers install --no-save --no-audit --no-fund $(CHDB)
	go test ./cmd/unspoof -run '^TestBenchIntake$$' -count 1 -timeout 120m -v -args -bench.intake $(INTAKE_SCALE) -bench.chdb '$(CURDIR)/out/peers/node_modules' -bench.dir '$(CURDIR)/out/bench-intake'

.PHONY: bench-build
bench-build: ui ## findings of 70 million rows step by step, what pages look up, and the build again after a snapshot (45 GB of disk, half an hour)
	go test ./cmd/unspoof -run '^TestBenchBuild$$' -count 1 -timeout 120m -v -args -bench.build $(BUILD_SCALE) -bench.dir '$(CURDIR)/out/bench-build'

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@mkdir -p out; grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' cmd internal | sort | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); echo "$$name in $$dir"; \
		if go list -deps -test "./$$dir" | grep -x modernc.org/sqlite >/dev/null; then \
			go test -c -o out/fuzz.test "./$$dir"; \
			(cd "$$dir" && '$(CURDIR)/out/fuzz.test' -test.run '^$$' -test.fuzz "^$$name\$$" -test.fuzztime $(FUZZTIME) -test.fuzzcachedir '$(CURDIR)/out/fuzz'); \
		else \
			go test "./$$dir" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME); \
		fi; \
	done

.PHONY: vuln
vuln: ## known vulnerabilities in what the program calls (asks vuln.go.dev)
	go run $(GOVULNCHECK) ./...

.PHONY: changelog
changelog: ## merge changes/ into CHANGELOG.md: make changelog VERSION=0.1.0
	@changes/merge '$(VERSION)'

.PHONY: clean
clean: ## remove what make built (not the folder demo)
	rm -rf bin out $(UI)/node_modules
	find $(UI)/dist -type f ! -name .keep -delete
