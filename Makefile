# make run    install what is missing, build, serve on 127.0.0.1:27017
# make test   install what is missing, lint, build, run all tests (the same as .ci/run)

export PATH := $(PATH):/opt/swift/usr/bin

LISTEN ?= 127.0.0.1:27017
FUZZ_ROUNDS ?= 20000
SOURCES := Package.swift Sources Tests sql

.PHONY: help deps build run test unit integration drivers bench study deb format lint fuzz clean

help:
	@echo 'run          serve on $(LISTEN)              (LISTEN=host:port)'
	@echo 'test         everything: lint, unit, integration, drivers'
	@echo 'unit         the tests that need no PostgreSQL'
	@echo 'integration  the tests against a PostgreSQL of their own'
	@echo 'drivers      one program per driver, hostile input, crashes'
	@echo 'bench        throughput and latency, beside pgbench on the same PostgreSQL'
	@echo 'study        write strategies under contention, into docs/study (STUDY=--quick)'
	@echo 'fuzz         random input for longer         (FUZZ_ROUNDS=n)'
	@echo 'deb          a Debian package, in ..'
	@echo 'deps build format lint clean'

deps:
	scripts/install-dependencies build
	scripts/install-dependencies test

build:
	scripts/install-dependencies build
	swift build -c release --product martlet

run: build
	exec .build/release/martlet serve --listen $(LISTEN)

# The driver programs run even when a unit test has failed: one run should tell everything.
test: deps lint debug
	@status=0; \
	swift test --skip-build --disable-xctest || status=1; \
	Tests/Drivers/run || status=1; \
	exit $$status

unit: deps debug
	swift test --skip-build --disable-xctest --skip '^(Postgres|Storage)Tests'

integration: deps debug
	swift test --skip-build --disable-xctest --filter '^(Postgres|Storage)Tests'

drivers: deps debug
	Tests/Drivers/run

.PHONY: debug
debug:
	swift build --build-tests

bench: build
	scripts/install-dependencies bench
	Benchmarks/run $(BENCH)

study: build
	scripts/install-dependencies bench
	Benchmarks/study $(STUDY)

fuzz: deps debug
	MARTLET_FUZZ_ROUNDS=$(FUZZ_ROUNDS) swift test --skip-build --disable-xctest --filter '[Ff]uzz|[Rr]andom'
	BAD_INPUT_ROUNDS=$(FUZZ_ROUNDS) FUZZ_SECONDS=200 Tests/Drivers/run bad_input fuzz

deb:
	scripts/install-dependencies package
	dpkg-buildpackage --build=binary --unsigned-changes --unsigned-source
	lintian --fail-on error ../martlet_*.changes

format:
	swift format format --in-place --parallel --recursive $(SOURCES)

lint:
	swift format lint --strict --parallel --recursive $(SOURCES)

clean:
	rm -rf .build .venv
