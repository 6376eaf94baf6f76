# make demo, make test: both set everything up first. See README.md.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
CODE   := $(wildcard *.py benchmarks clean dataset demo download tests visavis)

# uv leaves it to the first import of a module to compile it. Where this is set, Python does not keep what it compiled,
# and each command here, and each worker of it, would compile torch and sympy anew.
export PYTHONDONTWRITEBYTECODE :=

# For the tests, whose workers fill the cores: a second thread of torch in each would stand in another's way, and a
# page fault costs much on a virtual machine, so memory that torch frees is kept, and large blocks take large pages.
FRUGAL := OMP_NUM_THREADS=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
    MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296

.PHONY: help setup demo test lab notebooks lint format
.DELETE_ON_ERROR:

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with all that is needed (once, and when the requirements change)

demo: $(READY) ## Run every step on a small set of photos, in a few minutes
	$(PY) -m demo

test: lint ## Lint, format, types and tests
	$(FRUGAL) $(PY) -m pytest -v -n auto --maxprocesses 4 --dist loadfile --maxfail 5

lab: $(READY) ## Open copies of the notebooks, in lab/, in JupyterLab (in a container: LAB="--allow-root --no-browser")
	test -f demo-out/run/best.safetensors || $(PY) -m demo
	@mkdir -p lab && for each in notebooks/*.ipynb; do test -e lab/$${each##*/} || cp $$each lab/; done
	$(VENV)/bin/jupyter-lab lab $(LAB)

notebooks: $(READY) ## Run copies of the notebooks, in lab/, on what the demo leaves; with KEEP=1 those in notebooks/
	test -f demo-out/run/best.safetensors || $(PY) -m demo
	@test -n "$(KEEP)" || { mkdir -p lab && cp notebooks/*.ipynb lab/; }
	$(VENV)/bin/jupyter-execute --inplace $(if $(KEEP),notebooks,lab)/*.ipynb

lint: $(READY) ## Lint, format and types
	$(PY) -m ruff check $(CODE)
	$(PY) -m ruff format --check $(CODE)
	$(PY) -m pyrefly check $(wildcard *.py) clean dataset demo download visavis

format: $(READY) ## Format the code and mend what ruff can
	$(PY) -m ruff check --fix $(CODE)
	$(PY) -m ruff format $(CODE)

# uv makes the environment: it needs neither python3-venv nor a Python that lets pip install into it (Debian's
# does not), it can leave dlib out (pyproject.toml), and it is quick. Where there is none, pip puts it in .uv.
# pip's own settings (a mirror, say) are passed on, for uv does not read them.
$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "visavis needs Python 3.11 or newer, and $(PYTHON) is not; try: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 2; }
	@uv --version >/dev/null 2>&1 || test -x .uv/bin/uv || \
	    $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv || { \
	    echo "could not install uv with $(PYTHON) -m pip; is pip there (Debian: apt install python3-pip)?" >&2; exit 2; }
	@set -e; uv=uv; uv --version >/dev/null 2>&1 || uv=.uv/bin/uv; \
	    index=$$($(PYTHON) -m pip config get global.index-url 2>/dev/null || true); \
	    index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$index}}; \
	    if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	    $$uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	    $$uv pip install --python $(PY) -r requirements.txt -r requirements-dev.txt dlib-bin
	@touch $@
