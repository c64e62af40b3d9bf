# spikeport
# One environment, made once, by the first Python 3.11 or newer that really runs.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo test test-all fuzz bench check constraints wheel clean
# the stamp names this folder: a moved or copied clone must not run the other one's code
STAMP := .venv/installed-$(shell echo '$(CURDIR)' | cksum | cut -d' ' -f1)
IN := .venv/bin/python -m
# a process a core, a file of tests in one of them; one thread each, or they wait for each other's
SIDE_BY_SIDE := OMP_NUM_THREADS=1 $(IN) pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
BENCH ?= all

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(IN) pip --version >/dev/null 2>&1 || { rm -rf .venv; for p in $$(type -aP python3 python3.1{1..4}) \
	    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[1-4]*/bin/python; do \
	    "$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    echo "making .venv with $$p"; "$$p" -m venv .venv && exit; done; \
	  echo 'spikeport needs Python 3.11 or newer with venv (Debian: apt install python3-venv)' >&2; exit 2; }
	$(IN) pip install -q -c constraints.txt torch uv
	.venv/bin/uv pip install -q --compile-bytecode --python .venv/bin/python -c constraints.txt -e '.[all,dev]'
	@touch $@

demo: $(STAMP)  ## train on real digits, lower to NIR, run on every engine, say whether it agrees
	-@$(IN) spikeport setup lava
	@$(IN) spikeport demo
test: $(STAMP)  ## every test but the slow ones; a missing engine is a failure
	@$(IN) spikeport setup lava
	$(SIDE_BY_SIDE)
test-all: $(STAMP)  ## every test
	@$(IN) spikeport setup lava
	$(SIDE_BY_SIDE) -m ""
fuzz: $(STAMP)  ## thousands of damaged files, and of random graphs in files and on engines
	$(IN) pytest -m "slow or not slow" tests/fuzz
bench: $(STAMP)  ## measure: make bench BENCH=name, a JSON line a figure
	@$(IN) spikeport.benchmarks $(BENCH)
check: $(STAMP)  ## format, lint, types (the worker's as Python 3.10)
	$(IN) ruff format --check . && $(IN) ruff check . && $(IN) mypy
	$(IN) mypy --python-version 3.10 --follow-imports=silent -p spikeport.backends.lava.worker
# (but triton's: a torch with CUDA asks for its own)
constraints: $(STAMP)  ## write down the versions that are installed now
	@{ echo '# Versions tested together. Regenerate: make constraints'; \
	  .venv/bin/uv pip freeze --exclude-editable | sed 's/+cpu$$//; /^triton==/d'; } > constraints.txt.part && mv constraints.txt.part constraints.txt
wheel: $(STAMP)  ## a wheel from a clean tree: build/ keeps deleted modules
	rm -rf build && $(IN) pip wheel -q --no-deps -w dist .
clean:  ## remove what was made here
	rm -rf .venv build dist *.egg-info
