# Every target gets what it needs from outside, or says in one line what is missing.

.PHONY: help build quickstart test faults chaos lint lint-deploy fuzz bench kafka-up kafka-down

help:
	@echo "make build       the release binary: target/release/reconciler"
	@echo "make quickstart  the product on an embedded demo Kafka, in ./quickstart-data"
	@echo "make test        all but the faults on purpose, on real Kafka (fetched into .cache/)"
	@echo "make faults      each fault on purpose, under load: dead leaders, cut links, full disks, clocks that jump"
	@echo "make chaos       200 random faults under load, on real Kafka; ROUNDS=20 for fewer, SEED=7 to repeat a run"
	@echo "make lint        format and clippy"
	@echo "make lint-deploy all that is in deploy/, by the tools of its fields (fetched into .cache/)"
	@echo "make bench       the gateway against HAProxy and none, on real Kafka"
	@echo "make fuzz        a minute of every fuzz target, on the stable toolchain; SECONDS=600 for longer"
	@echo "make kafka-up    three real Kafka brokers on 127.0.0.1:29092-29094; BROKERS=1 for one"
	@echo "make kafka-down  stop them"

build:
	@scripts/deps.sh build
	cargo build --release --locked

# The development profile: it shares its build with `make test`, and starts minutes earlier on a fresh machine.
quickstart:
	@scripts/deps.sh build
	cargo run --locked -- quickstart $(ARGS)

test:
	@scripts/deps.sh test
	@scripts/test.sh

# A quarter of an hour, most of it waiting for timeouts: not for every change.
faults:
	@scripts/deps.sh chaos
	cargo test --locked --test it chaos:: -- --ignored --nocapture --test-threads=1

# A quarter of an hour for each hundred. It prints its seed first, and a table at the end (docs/chaos.md).
chaos:
	@scripts/deps.sh chaos
	CHAOS_ROUNDS=$(or $(ROUNDS),200) CHAOS_SEED=$(SEED) cargo test --locked --test it chaos::random -- --nocapture

lint:
	@scripts/deps.sh build
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

lint-deploy:
	@scripts/deploy-lint.sh

fuzz:
	@scripts/deps.sh build
	scripts/fuzz.sh $(SECONDS)

bench:
	@scripts/deps.sh bench
	scripts/bench.sh $(ARGS)

kafka-up:
	@scripts/kafka.sh up $(BROKERS)

kafka-down:
	@scripts/kafka.sh down
