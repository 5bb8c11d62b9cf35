# Needs Python 3.11 to 3.13 with venv, pip and make. PYTHON=/path/to/python picks the interpreter.

# Each cell is searched at four learning rates: which cell is best depends on the rate.
QUICKSTART = char_lm --cells simple_rnn,lstm,gru --depth 1 --width 64,128 --learning-rate 0.003,0.006,0.012,0.024 \
	--batch 32 --oracle grid --trials 24 --epochs 3 --workers 2 --name quickstart --resume

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

install: .venv/.installed ## .venv with everything that a search needs
	@echo 'Ready: .venv/bin/recurrent --help'

quickstart: .venv/.installed ## a search over 24 models of text, its best model exported, a sample of what it writes
	.venv/bin/recurrent search $(QUICKSTART)
	.venv/bin/recurrent export quickstart --to quickstart-best
	.venv/bin/recurrent sample quickstart-best --prompt "The " --length 200 --temperature 0.7
	@echo
	@echo 'Next: .venv/bin/recurrent ui              every trial and its curves in the browser'
	@echo '      .venv/bin/recurrent search --help   the same for other tasks, other cells, your own text'

test: .venv/.installed-test ## linter, types and all tests but the slow ones
test-all: .venv/.installed-test ## the slow tests too
test-all: SELECTED = -m ""
# A third of the time of tests is spent waiting for other processes, so there are two more workers than cores.
test test-all: WORKERS = $$(.venv/bin/python -c 'import os; print(min(6, 2 + (os.cpu_count() or 1)))')
test test-all:
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile $(SELECTED)

benchmarks: BENCHMARKS = throughput "throughput --epochs 20 --only untracked" tracking scale regret kernels generators \
	estimates coverage formats serving "turing --seeds 12" bucketing "bucketing --source cmudict" cluster \
	traffic record_scale
benchmarks: .venv/.installed ## every benchmark in full; takes hours, on a machine that does nothing else
	$(MEASURE)

benchmarks-short: BENCHMARKS = "throughput --rounds 1 --epochs 1" "tracking --rounds 1 --epochs 1 --trials 4" \
	"scale --rounds 1 --trials 100" "regret --seeds 1" "kernels --cells gru --lengths 30 --steps 64" \
	"generators --rounds 1 --steps 100000" "estimates --sides single --trials 1" "coverage --repetitions 200" \
	"formats --cells gru --forms padded --width 8" "serving --sides sequence --seconds 1 --clients 1" \
	"turing --seeds 1 --sequences 1000" "bucketing --rounds 1 --train 640 --epochs 1" "cluster --seats 1,8 --seconds 2" \
	"traffic --epochs 2" "record_scale --trials 100 --stored 20"
benchmarks-short: .venv/.installed ## every benchmark at its shortest; takes minutes and shows only that each one runs
	$(MEASURE)

define MEASURE
set -e; for words in $(BENCHMARKS); do echo "== $$words"; .venv/bin/python -m experiments.benchmarks.$$words; done
endef

clean: ## removes .venv and the caches; searches and their results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install quickstart test test-all benchmarks benchmarks-short clean FORCE
.NOTPARALLEL:

# .venv/.installed holds the path of this folder. A .venv does not work after a move or without its interpreter.
ifneq ($(shell .venv/bin/python -c '' 2>/dev/null && cat .venv/.installed 2>/dev/null),$(CURDIR))
STALE = FORCE
endif

.venv/.installed: pyproject.toml requirements.lock $(STALE)
	@sh -c "$$INTO_VENV" install .
	@.venv/bin/recurrent tasks >/dev/null # counts the floors once, so that the list answers at once later

.venv/.installed-test: pyproject.toml requirements.lock $(STALE)
	@sh -c "$$INTO_VENV" install '.[test]'
	@touch $@

# $1 is what to install. If .venv/.unfinished exists, the .venv is half-made, and the next run makes a new one.
define INTO_VENV
fits() {
    "$$1" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit(print(version))
try:
    import ensurepip, venv
except ImportError:
    sys.exit(print(version + " without venv"))
print("fits")
' 2>/dev/null
}
find_python() {
    if [ -n "$(PYTHON)" ]; then set -- "$(PYTHON)"; else set -- python3.13 python3.12 python3.11 python3 python; fi
    found=
    for python; do
        answer=$$(fits "$$python")
        [ "$$answer" = fits ] && return
        [ -n "$$answer" ] && found="$$found, $$python is $$answer"
    done
    [ -n "$$found" ] || found=", no Python that runs as: $$*"
    echo "expected Python 3.11, 3.12 or 3.13 with venv (or PYTHON=/path/to/one), found$${found#,}" >&2
    exit 2
}
whole() {
    [ ! -e .venv/.unfinished ] && [ "$$(fits .venv/bin/python)" = fits ] && .venv/bin/python -c 'import pip' 2>/dev/null &&
        [ "$$(cat .venv/.installed 2>/dev/null || echo "$(CURDIR)")" = "$(CURDIR)" ]
}
if ! whole; then
    find_python
    # An activated .venv answers to these names too, and it is removed below. Its base interpreter stays.
    python=$$("$$python" -c 'import sys; print(sys._base_executable)')
    rm -rf .venv && mkdir .venv && touch .venv/.unfinished && "$$python" -m venv .venv || exit 2
fi
rm -f .venv/.installed .venv/.installed-test && touch .venv/.unfinished
echo "Installing into .venv (about 2 minutes and 3 GB the first time) ..."
.venv/bin/python -m pip install -qq --no-input --disable-pip-version-check -c requirements.lock -e "$$1" || exit 2
echo "$(CURDIR)" >.venv/.installed && rm .venv/.unfinished
endef
export INTO_VENV
