# Every target makes .venv by itself and uses it. `make help` explains.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests wait for processes more than they compute: more at once than there are cores.
TEST_PROCESSES ?= 4
PYTEST := $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile
# What makes no difference to Redis or PostgreSQL beside the rest: not run again on the containers.
NO_SERVER := orders_service/access orders_service/api/rest orders_service/commands orders_service/dev \
  rosq/commands/test_output.py worker/portal worker/simulator worker/test_ill_account.py
PROTOS := $(wildcard proto/orders_service/v1/*.proto)
# The contract as a whole, in one file: what the next change is compared with.
CONTRACT := proto/contract.binpb
# googleapis' own files stand beside ours, for clients who have nothing else; BUF names the rules, and looks at ours alone.
PROTOC := $(BIN)/python -m grpc_tools.protoc -I proto
BUF := --config proto/buf.yaml --path orders_service/v1

.DEFAULT_GOAL := help
.PHONY: help demo up test test-long test-containers bench bench-service lint types proto proto-check openapi reference last-release migrate clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## Run real orders through everything on embedded servers, show the result, end
	@$(BIN)/orders-service dev --demo

up: $(STAMP) ## The same system, and it stays: addresses and commands to try are printed
	@$(BIN)/orders-service dev

test: $(STAMP) ## Run the tests, about 12 minutes (embedded servers; no Docker needed). Options: ARGS='-k name'
	@$(PYTEST) $(ARGS)

test-long: $(STAMP) ## Random steps, storms of faults and bad requests in large numbers, about an hour: ROSQ_PROPERTY_STEPS …
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[long]'
	@ROSQ_REST_BAD_REQUESTS=$${ROSQ_REST_BAD_REQUESTS:-10000} ROSQ_REST_SCHEMATHESIS=$${ROSQ_REST_SCHEMATHESIS:-400} \
	  $(BIN)/python -m pytest --timeout 3600 tests/integration/orders_service/api/rest/test_fuzz.py $(ARGS)
	@ROSQ_PROPERTY_STEPS=$${ROSQ_PROPERTY_STEPS:-100000} ROSQ_KILL_JOBS=$${ROSQ_KILL_JOBS:-10000} \
	  ROSQ_CUT_JOBS=$${ROSQ_CUT_JOBS:-5000} ROSQ_CUT_OFFS=$${ROSQ_CUT_OFFS:-200} \
	  ROSQ_DAMAGE_WHOLE=$${ROSQ_DAMAGE_WHOLE:-1} ORDERS_DEATH_STRIDE=1 ORDERS_ILL_WHOLE=1 \
	  ORDERS_MANY_SERVICES=$${ORDERS_MANY_SERVICES:-10000} $(BIN)/python -m pytest $(addprefix tests/integration/rosq/,property storm cut_off damage) \
	  tests/integration/orders_service/api/test_lost_answers.py \
	  tests/integration/orders_service/queueing/test_many_services.py tests/integration/worker/test_ill_account.py $(ARGS)

test-containers: $(STAMP) ## Run the integration tests on Redis 7 and PostgreSQL in containers (needs a Docker engine)
	@$(PYTEST) --containers $(addprefix tests/integration/,rosq orders_service worker) \
	  $(addprefix --ignore=tests/integration/,$(NO_SERVER)) $(ARGS)

bench: $(STAMP) ## Measure rosq beside the floor and other queues, about 25 minutes. Options: ARGS=--quick (3 minutes), ARGS='--deep --json run.json'
	@$(BIN)/python -m benchmarks $(ARGS)

bench-service: $(STAMP) ## Measure the orders service beside PostgreSQL and the queue, about 15 minutes. Options: ARGS=--quick (4 minutes)
	@$(BIN)/python -m benchmarks.service $(ARGS)

lint: $(STAMP) ## Check format, lint rules, import contracts, and the contract in proto/ (buf)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@mkdir -p build && $(PROTOC) --include_imports --include_source_info --descriptor_set_out=build/contract.binpb $(PROTOS)
	@$(BIN)/buf lint build/contract.binpb $(BUF)

types: $(STAMP) ## mypy --strict on the packages, and the tests
	@$(BIN)/mypy
	@$(BIN)/mypy -p tests

proto: $(STAMP) ## Generate orders_service/v1 from proto/, unless the change would break a client (BREAKING=1: all the same)
	@mkdir -p build && git show HEAD:$(CONTRACT) > build/before.binpb 2>/dev/null || cp $(CONTRACT) build/before.binpb
	@$(PROTOC) --include_imports --descriptor_set_out=build/now.binpb $(PROTOS)
	@test -n "$(BREAKING)" || $(BIN)/buf breaking build/now.binpb --against build/before.binpb $(BUF)
	@cp build/now.binpb $(CONTRACT)
	@$(PROTOC) --python_out=. --grpc_python_out=. \
	  --mypy_out=. --mypy_grpc_out=. --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc $(PROTOS)

proto-check: proto ## Fail if the committed stubs differ from proto/, or proto/ breaks what was committed before
	@$(BIN)/python docs/make_openapi.py --check
	@git diff --exit-code --stat -- orders_service/v1 $(CONTRACT) || { echo "orders_service/v1 differs from proto/: run 'make proto' and commit"; exit 1; }

openapi: $(STAMP) ## Write the OpenAPI document from proto/
	@$(BIN)/python docs/make_openapi.py

reference: $(STAMP) ## Write docs/reference.md from the docstrings
	@$(BIN)/python docs/make_reference.py

last-release: $(STAMP) ## Keep the service of a release for the tests of upgrades: REVISION=v1.0
	@$(BIN)/python -m tests.last_release.take $(REVISION)

migrate: $(STAMP) ## Apply sql/ to the database that DB_* names
	@$(BIN)/orders-service migrate

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
