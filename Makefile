# One command for each thing to do. Needs Python 3.11 or 3.12 (with venv) and make; everything else comes out of the lock.
#   make demo  [ARGS=...]   the whole of it on this machine, with made-up sales teams; keeps nothing
#   make test  [ARGS=...]   the whole suite, against real servers where they can be had; ARGS go to pytest
#   make check              formatting, lint, types, layers
#   make coverage           that the core's own tests reach all its lines and branches
#   make mutants            whether the core's tests notice small mistakes in it, made at random; takes an hour
#   make simulation [ARGS=...]  5,000 seeds of ten simulated minutes under all kinds of faults; takes over an hour; ARGS="--seed 4711": one
#   make faults             25 faults on real processes, after which nothing may be lost or doubled; takes some minutes
#   make faults-full        the same with over 400, and its report in docs/; takes about an hour and a half, ARGS=--resume goes on with it
#   make fuzz               inputs made at random, but not blindly, for every reader of what comes from outside; takes hours
#   make schemas            the described answers of gateway and API, asked for by questions made at random
#   make storm              bad requests of many kinds for a gateway, beside a good sender; takes minutes to an hour
#   make audit-dependencies  whether any package of the lock files has a known hole; asks the package index for its advisories
#   make docs               what is generated from the code: docs/kpis.md, docs/events.schema.json, docs/*openapi.json, Grafana's dashboards
#   make secrets            what docker-compose.yml mounts as secrets, made up where it is missing
#   make lock               all lock files from pyproject.toml; UPGRADE=1 takes the newest versions allowed
#   make kafka              Apache Kafka's jars for the tests (with Maven and Java)
#   make bench-engine       events a second through one worker, on a real Kafka and Redis; prints one JSON line
#   make bench-huge         what one more event costs a lead of 100,000 touches, on a real Redis; prints one JSON line
#   make bench-latency      from a webhook until /metrics shows it, at a steady rate, through all processes; prints one JSON line
#   make bench-outage       an hour without Kafka: what the spool takes, and that nothing is lost; prints one JSON line
#   make bench-revaluation  leads a second when all totals are made anew from the states in a real Redis; prints one JSON line
#   make bench-soak         an hour at half of what the whole chain can do: memory, descriptors, lag, audits; prints one JSON line
#   make bench-standing     what a floor that has stood for 90 days costs: memory, take-over, rounds, scrapes; prints one JSON line
#   make bench-waiting      what a worker needs while ten million events wait, beside while few do; prints one JSON line

.DEFAULT_GOAL := demo
.PHONY: demo test check coverage mutants simulation faults faults-full fuzz schemas storm audit-dependencies docs lock kafka secrets bench-engine bench-huge bench-latency bench-outage bench-revaluation bench-soak bench-standing bench-waiting
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
KAFKA := .cache/kafka
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --require-virtualenv
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate $(if $(UPGRADE),--upgrade) pyproject.toml --group build

demo: $(VENV)/run.stamp
	@$(BIN)/leadbeat demo $(ARGS)

test: $(VENV)/dev.stamp
	@if [ ! -f $(KAFKA)/complete ] && command -v mvn >/dev/null && command -v java >/dev/null; then \
		$(MAKE) --no-print-directory kafka || echo "Apache Kafka could not be fetched: its tests will be skipped" >&2; fi
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/leadbeat openapi | cmp --silent - docs/openapi.json || { echo "docs/openapi.json is stale: make docs" >&2; exit 1; }
	@$(BIN)/leadbeat openapi gateway | cmp --silent - docs/gateway.openapi.json \
		|| { echo "docs/gateway.openapi.json is stale: make docs" >&2; exit 1; }

# Few examples of each law, and without the oracle's comparisons: two minutes, and what is reached so is reached by `make test`, too.
coverage: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest tests/models --quiet --ignore tests/models/test_against_truth.py --hypothesis-profile brief \
		--numprocesses 2 --cov=models --cov-report=term --cov-fail-under=100

mutants: $(VENV)/mutation.stamp
	@PYTHONPATH=tests $(BIN)/python -m mutation $(ARGS)

simulation: $(VENV)/dev.stamp
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

faults: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

faults-full: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m faults --full --brokers 3 --report docs/faults-report $(ARGS)

fuzz: $(VENV)/fuzz.stamp
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

schemas: $(VENV)/fuzz.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m fuzz.schemas $(ARGS)

storm: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m fuzz.storm $(ARGS)

# Strict: a package of which nothing can be learnt fails, as it does where the index has no advisories.
audit-dependencies: $(VENV)/audit.stamp
	@for lock in $(sort $(wildcard requirements*.lock)); do \
		echo "$$lock:" >&2; \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement $$lock || failed=1; \
	done; exit $${failed:-0}

docs: $(VENV)/run.stamp
	@$(BIN)/leadbeat kpis --format markdown > docs/kpis.md
	@$(BIN)/leadbeat schema > docs/events.schema.json
	@$(BIN)/leadbeat openapi > docs/openapi.json
	@$(BIN)/leadbeat openapi gateway > docs/gateway.openapi.json
	@for name in speed_to_lead every_kpi; do $(BIN)/leadbeat dashboard $$name > grafana/dashboards/$$name.json || exit 1; done

lock: $(VENV)/dev.stamp
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group mutation --constraint requirements-dev.lock --output-file requirements-mutation.lock
	$(LOCK) --group fuzz --constraint requirements-dev.lock --output-file requirements-fuzz.lock
	$(LOCK) --group audit --constraint requirements-dev.lock --output-file requirements-audit.lock

kafka: $(KAFKA)/complete

bench-engine: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.engine $(ARGS)

bench-huge: $(VENV)/dev.stamp
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.huge $(ARGS)

bench-latency: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.latency $(ARGS)

bench-outage: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.outage $(ARGS)

bench-revaluation: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.revaluation $(ARGS)

bench-soak: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.soak $(ARGS)

bench-standing: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.standing $(ARGS)

bench-waiting: $(VENV)/dev.stamp $(KAFKA)/complete
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.waiting $(ARGS)

$(KAFKA)/complete: tests/kafka.pom.xml
	@rm -rf $(KAFKA)
	@echo "Fetching Apache Kafka for the tests (45 MB, once)" >&2
	@mvn --quiet --batch-mode --no-transfer-progress -Dstyle.color=never --file $< dependency:copy-dependencies -DoutputDirectory=$(abspath $(KAFKA))
	@touch $@

# Nobody but their owner gets at the files, for the folder is shut; a container, into which they are mounted one by one, reads
# them as a user of its own.
secrets: secrets/crm-token secrets/crm-webhook secrets/grafana-admin secrets/subject-key \
	secrets/floor-token.sha256 secrets/prometheus-token.sha256

secrets/crm-token secrets/grafana-admin secrets/subject-key: | secrets/.made
	@od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' > $@

secrets/floor-token secrets/prometheus-token: | secrets/.made
	@printf 'lbt_%s' "$$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" > $@

secrets/%.sha256: secrets/%
	@{ sha256sum 2>/dev/null || shasum -a 256; } < $< | cut -c1-64 > $@

secrets/crm-webhook: | secrets/.made
	@printf 'whsec_%s' "$$(head -c 32 /dev/urandom | base64)" > $@

secrets/.made:
	@mkdir -p -m 700 secrets
	@touch $@

# pip is silent while it works, so each stage says beforehand what it is and about how long it takes.
# The checkout itself is installed in place by the setuptools of the lock: nothing is taken from outside it.
$(VENV)/run.stamp: requirements.lock | $(BIN)/python
	@echo "Set-up 2 of 3: the packages of requirements.lock, 220 MB in $(VENV) (a minute or two, once)" >&2
	@$(PIP) --require-hashes --requirement requirements.lock
	@echo "Set-up 3 of 3: Leadbeat itself, in place (seconds)" >&2
	@$(PIP) --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Set-up for tests and checks: the packages of requirements-dev.lock (half a minute, once)" >&2
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/mutation.stamp: requirements-mutation.lock $(VENV)/dev.stamp
	@echo "Set-up for mutation testing: the packages of requirements-mutation.lock (seconds, once)" >&2
	@$(PIP) --require-hashes --requirement requirements-mutation.lock
	@touch $@

$(VENV)/fuzz.stamp: requirements-fuzz.lock $(VENV)/dev.stamp
	@echo "Set-up for fuzzing: the packages of requirements-fuzz.lock (half a minute, once)" >&2
	@$(PIP) --require-hashes --requirement requirements-fuzz.lock
	@touch $@

$(VENV)/audit.stamp: requirements-audit.lock $(VENV)/dev.stamp
	@echo "Set-up for the audit of dependencies: the packages of requirements-audit.lock (seconds, once)" >&2
	@$(PIP) --require-hashes --requirement requirements-audit.lock
	@touch $@

# PYTHON=... names the interpreter; else the first suited one: 3.13 comes last, there is no embedded Redis for it.
PYTHONS := $(if $(PYTHON),$(PYTHON):13,python3:12 python3.12:12 python3.11:12 python3:13 python3.13:13)
SUITED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, int(sys.argv[1])))

$(BIN)/python:
	@for candidate in $(PYTHONS); do \
		if "$${candidate%:*}" -c '$(SUITED)' "$${candidate##*:}" 2>/dev/null; then \
			echo "Set-up 1 of 3: $(VENV), with $${candidate%:*} (seconds)" >&2; \
			exec "$${candidate%:*}" -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "Leadbeat needs Python 3.11 or 3.12 with its venv module (on Debian: apt install python3 python3-venv)." >&2; \
	echo "Install it, or name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1
