# run · test · test-deep · test-mutations · check · lock · bench: the whole developer interface.
PYTHON := .venv/bin/python
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform

.PHONY: run test test-deep test-mutations check lock bench venv

run: venv
	@exec $(PYTHON) -m embedded --with-parent

venv:
	@bash platform/embedded/venv.sh

test: venv
	@$(PYTHON) -m pytest -n 2 $(ARGS)

test-deep: venv
	@FUZZ_ROUNDS=$${FUZZ_ROUNDS:-25} $(PYTHON) -m pytest -n 2 -m "deep or hypothesis" $(ARGS)

test-mutations: venv
	@$(PYTHON) -m tests.mutations $(ARGS)

check: venv
	@bash platform/embedded/check.sh

lock: venv
	@.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header --python-version 3.12 --group dev pyproject.toml \
	    -o requirements.lock
	@grep -c == requirements.lock | sed 's/$$/ packages locked/'

bench: venv
	@$(PYTHON) -m bench $(ARGS)
