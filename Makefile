# Nagaya: what a newcomer needs is `make up` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(PATH):/usr/sbin:/sbin
export NAGAYA_ENGINES ?= $(CURDIR)/.engines
# Tests that run at once: enough to keep two cores busy, few enough that none waits long for its turn.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 6

RELEASE := .build/release/nagaya
DEBUG := .build/debug/nagaya
IMAGES := .build/images
SOURCES := git ls-files -co --exclude-standard '*.swift' | grep -vE '\.(pb|grpc)\.swift$$'
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: engines
engines: ## Install what is missing: packages, containerd, runc, CNI plugins, kubectl
	@scripts/install-packages
	@scripts/install-engines $(NAGAYA_ENGINES)

.PHONY: build
build: engines ## Build the release binary and the sample images
	$(call say,building nagaya (the first build takes some minutes))
	swift build -c release --product nagaya
	@scripts/build-images $(RELEASE) $(IMAGES)

.PHONY: up
up: build ## Build and start Nagaya on this machine, with a sample app (as root)
	$(call say,starting)
	@$(RELEASE) up --detach --sample

.PHONY: down
down: ## Stop Nagaya and its containers; data stays
	@$(RELEASE) down

.PHONY: test
test: engines ## Run every test, on the real engines (as root)
	@scripts/install-packages tests
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	@$(MAKE) --no-print-directory lint
	$(call say,building the tests)
	swift build --build-tests
	@scripts/build-images $(DEBUG) $(IMAGES)
	@rm -f .build/attacks.tsv .build/figures
	$(call say,fuzzing every parser for a second)
	@.build/debug/benchmarks fuzz --seconds 1
	$(call say,running the tests)
	@NAGAYA_ATTACKS=$(CURDIR)/.build/attacks.tsv NAGAYA_FIGURES=$(CURDIR)/.build/figures scripts/run-unit-tests
	$(call say,running the tests of the whole platform)
	@NAGAYA_ATTACKS=$(CURDIR)/.build/attacks.tsv NAGAYA_FIGURES=$(CURDIR)/.build/figures scripts/run-tests --filter '^IntegrationTests\.'
	$(call say,installing the packages on bare Debians)
	@NAGAYA_FIGURES=$(CURDIR)/.build/figures scripts/run-tests --filter '^PackageTests\.'
	@scripts/attack-figures .build/attacks.tsv
	@touch .build/figures && cat .build/figures

.PHONY: package
package: build ## Make the Debian packages and the container image, in .build/packages
	@scripts/install-packages package
	$(call say,packing)
	@packaging/build $(RELEASE) .build/packages

.PHONY: test-package
test-package: package ## Install the packages on a bare Debian 12 and 13, run an app, upgrade, purge (as root)
	@scripts/install-packages tests
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	@for suite in bookworm trixie; do scripts/in-own-world scripts/in-package-root $(NAGAYA_ENGINES)/roots/$$suite \
	  $(CURDIR)/.build/packages:/packages $(CURDIR)/packaging:/packaging \
	  -- /packaging/tests/without-systemd /packages || exit 1; done
	@scripts/in-own-world scripts/in-package-root --boot $(NAGAYA_ENGINES)/roots/bookworm \
	  $(CURDIR)/.build/packages:/packages $(CURDIR)/packaging:/packaging -- /packaging/tests/with-systemd /packages

.PHONY: attack
attack: engines ## Run every attack of the table: who tries what, and whether the wall held (as root)
	@scripts/install-packages tests
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	swift build --build-tests
	@scripts/build-images $(DEBUG) $(IMAGES)
	@rm -f .build/attacks.tsv
	@NAGAYA_ATTACKS=$(CURDIR)/.build/attacks.tsv scripts/run-tests --filter Attacks
	@scripts/attack-figures .build/attacks.tsv

.PHONY: test-under-load
test-under-load: ## Run the tests that wait 20 times beside six busy processes (ROUNDS=n; what is built)
	@scripts/under-load 6 scripts/repeat-waiting-tests $(or $(ROUNDS),20)

.PHONY: lint
lint: ## Check the style of all sources
	@$(SOURCES) | xargs swift format lint --strict --parallel
	@scripts/lint-numbers
	@scripts/lint-locks
	@scripts/lint-pipes
	@scripts/lint-cancellation
	@scripts/lint-floors

.PHONY: format
format: ## Rewrite all sources in the repository's style
	@$(SOURCES) | xargs swift format --in-place --parallel

.PHONY: bench
bench: build ## Measure the API server and create-to-first-200 (as root; BASELINE=DIR: beside the nagaya there)
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	swift build -c release --product benchmarks
	@.build/release/benchmarks api
	@.build/release/benchmarks network
	@.build/release/benchmarks app
	@.build/release/benchmarks app --volume
	@.build/release/benchmarks parts --kills 2
	@.build/release/benchmarks fairness
	@$(if $(BASELINE),.build/release/benchmarks compare --baseline $(BASELINE))

.PHONY: bench-placement
bench-placement: ## Compare placement policies by simulation (TRACE=file: on that history too; REPORT=dir: pages)
	swift build -c release --product placement-benchmark
	@.build/release/placement-benchmark --trace "$(TRACE)" --report "$(REPORT)" $(if $(SEEDS),--seeds $(SEEDS)) $(if $(JOBS),--jobs $(JOBS))

.PHONY: bench-images
bench-images: build ## Measure cold starts by snapshotter, and reading afterwards (as root; RUNS=n BENCH_IMAGES=python,node)
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	swift build -c release --product benchmarks
	@.build/release/benchmarks images --runs $(or $(RUNS),5) $(if $(BENCH_IMAGES),--images $(BENCH_IMAGES))

.PHONY: bench-move
bench-move: engines ## Measure how fast a volume moves, beside dd | dd over the same link
	swift build -c release --product benchmarks
	@.build/release/benchmarks move

.PHONY: bench-hooks
bench-hooks: build ## Measure node hooks: answers, memory, a burst of 500 containers (as root)
	swift build -c release --product benchmarks
	@.build/release/benchmarks hooks

.PHONY: fault-test-hooks
fault-test-hooks: engines ## Restart containerd under the node hooks 20 times, kill them during 100 starts (as root)
	@scripts/install-packages tests
	swift build --build-tests
	@scripts/run-tests --filter 'NodeHooksTests.FaultTests'

.PHONY: throttle-test
throttle-test: engines ## Measure how near to their limits volumes are written (as root, in scripts/in-guest or GUEST=command)
	@scripts/install-packages tests
	swift build --build-tests
	@scripts/install-engines $(NAGAYA_ENGINES) guest
	@GUEST_SECONDS=1800 GUEST_PASSES='NAGAYA_ENGINES SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH' \
	  SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 $(or $(GUEST),scripts/in-guest) scripts/throttle-test

.PHONY: crash-test
crash-test: build ## Kill nagaya 200 times under load; nothing may be lost or leak (as root)
	swift build -c release --product benchmarks
	@.build/release/benchmarks crash --rounds $(or $(ROUNDS),200)

.PHONY: crash-test-images
crash-test-images: build ## Kill the lazy images' daemon 100 times while containers read (as root; ROUNDS=n)
	swift build -c release --product benchmarks
	@.build/release/benchmarks crash-images --rounds $(or $(ROUNDS),100) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz-images
fuzz-images: engines ## Compare random images with containerd's overlayfs, in three formats (as root; N=images SEED=first)
	@scripts/install-packages tests
	@scripts/install-engines $(NAGAYA_ENGINES) peers
	swift build --build-tests
	@NAGAYA_FUZZ_IMAGES=$(or $(N),100) NAGAYA_FUZZ_SEED=$(or $(SEED),1) scripts/run-tests --filter DifferentialTests

.PHONY: fuzz
fuzz: engines ## Fuzz every parser of bytes from outside
	swift build -c release --product benchmarks
	@.build/release/benchmarks fuzz --seconds $(or $(SECONDS_EACH),10) --seed $(or $(SEED),1)

.PHONY: docs
docs: engines ## Build the reference of all rooms from their documentation comments
	$(call say,building the reference)
	@scripts/build-docs .build/docs
	@printf 'Look at it with: python3 -m http.server -d .build/docs, then http://localhost:8000/documentation/\n'
