# Two commands on a fresh machine: `make run` and `make test`. Both set up .venv first, once.
PYTHON ?= python3
CORES ?= $(shell nproc)
GPU ?= $(if $(shell nvidia-smi -L 2>/dev/null),1,0)
# uv does not read pip's settings: hand the ones on that matter.
ifneq ($(PIP_FIND_LINKS),)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifneq ($(PIP_CERT),)
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

KIND := $(if $(filter 1,$(GPU)),gpu,cpu)
STAMP := .venv/.installed-$(KIND)
# One environment, one kind of torch: another kind's stamp does not count.
$(shell find .venv -maxdepth 1 -name '.installed-*' ! -name '.installed-$(KIND)' -delete 2>/dev/null)
BIN := .venv/bin

.PHONY: run test test-slow test-slurm lint setup setup-conda lock clean
run: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake all --cores $(CORES) $(if $(filter gpu,$(KIND)),--set-resources train_folds:gpu=1 final_model:gpu=1 faces_shard:gpu=1)

test: setup
	$(BIN)/pytest -m "not slow"

test-slow: setup
	$(BIN)/pytest -m "slow and not slurm"

# A Slurm of one node; its packages come through apt where it may, else the test is skipped with what to type.
test-slurm: setup
	bash tools/slurm.sh
	$(BIN)/pytest -m slurm

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

setup: $(STAMP)

# Inside the conda environment of environment.yml: the two packages whose pins conda's pip section cannot override.
setup-conda:
	python -m pip install --no-deps $(shell sed -nE 's/^ *"((facenet-pytorch|pyrender)==[^"]*)".*/\1/p' pyproject.toml)
	python -m pip install --no-deps --editable .

# After a change of pyproject.toml: the versions and hashes of everything it brings.
lock:
	bash tools/lock.sh

$(STAMP): pyproject.toml requirements/lock.txt requirements/overrides-$(KIND).txt requirements/uv.txt \
          tools/setup.sh tools/apt.sh
	PYTHON="$(PYTHON)" bash tools/setup.sh $(KIND)
	touch $@

clean:
	rm -rf results logs data/synthetic .snakemake .mer
