# Everything that this project makes, from the environment to the book. It needs python3.11
# and make; pip needs the network, and so do images of other people (there is a stand-in).
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HASHES := hashes.txt
EXTRAS := simulation,book,onnx,em,test
RECORDS := _build/executed
PIP := $(BIN)/python -m pip
STAGE := .ci/stage
PARALLEL := -n 2 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help:  ## list what can be made
	@awk 'BEGIN {FS = ":.*##"} /^[a-z-]+:.*##/ {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environment

.PHONY: env
env: $(VENV)/.made  ## make .venv with the very files of hashes.txt (HASHES=: versions alone)

# First what is locked, each file compared with its hash; then the project, and what else
# this system needs of the versions in constraints.txt. The build backend is among both.
$(VENV)/.made: pyproject.toml constraints.txt hashes.txt
	@$(STAGE) "environment" $(MAKE) --no-print-directory install

.PHONY: install
install:
	$(PYTHON) -m venv $(VENV)
	$(if $(HASHES),$(PIP) install --quiet --no-deps --require-hashes -r $(HASHES))
	$(if $(HASHES),$(PIP) install --quiet --no-deps -c constraints.txt \
	    --force-reinstall --report $(VENV)/torch.json torch)
	@# builds of torch differ by system and index: another one is said, and used
	$(if $(HASHES),-$(BIN)/python .ci/lock.py --check $(HASHES) $(VENV)/torch.json)
	$(PIP) install --quiet -c constraints.txt hatchling editables
	$(PIP) install --quiet --no-build-isolation -c constraints.txt -e '.[$(EXTRAS)]'
	$(PIP) check
	@# pip has the network now: real electrons for a page, that may be drawn without it later
	@$(BIN)/python -m sbd.cli fetch recorded/movie >/dev/null || \
	    echo "no recorded movie: notebooks/16_electrons.py shows a simulated one"
	touch $(VENV)/.made

.PHONY: lock
lock:  ## rewrite constraints.txt and hashes.txt (UPGRADE=1: with the newest versions)
	rm -rf _build/lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --quiet $(if $(UPGRADE),,-c constraints.txt) \
	    --report _build/lock/installed.json hatchling editables '.[$(EXTRAS)]'
	_build/lock/bin/python .ci/lock.py > _build/lock/constraints.txt
	_build/lock/bin/python -m pip install --quiet uv
	_build/lock/bin/uv pip compile --quiet --no-deps --generate-hashes --no-header \
	    --no-annotate --python _build/lock/bin/python _build/lock/constraints.txt -o _build/lock/listed.txt
	_build/lock/bin/python .ci/lock.py _build/lock/listed.txt _build/lock/installed.json \
	    > _build/lock/hashes.txt
	cp _build/lock/constraints.txt _build/lock/hashes.txt .

# --- the work

.PHONY: book
book: env  ## run every notebook and build the site: _build/html/index.html
	@$(STAGE) "notebooks" $(BIN)/python -m sbd.records run --jobs 2 --to $(RECORDS)
	@$(STAGE) "book" env SBD_BOOK_RECORDS=$(RECORDS) \
	    $(BIN)/jupyter-book build --all -W -n --keep-going book/

.PHONY: site
site: env  ## build the site from the committed records, and look at it; a minute
	@rm -rf _build/html  # figures of earlier builds would stay
	@$(STAGE) "site" $(BIN)/jupyter-book build --all -W -n --keep-going book/
	@$(STAGE) "pages" $(BIN)/python -m pytest -q -m site

# The book must outlive its builder: nothing of Jupyter Book is loaded here.
.PHONY: sphinx
sphinx: env  ## build the site with Sphinx alone, and compare it with that of make site; a minute
	@rm -rf _build/sphinx  # figures of earlier builds would stay
	@$(STAGE) "sphinx" $(BIN)/python -m sphinx -q -b html -a -E -W -n --keep-going \
	    -c book/_sphinx -d _build/.sphinx book _build/sphinx
	@$(STAGE) "same pages" $(BIN)/python .ci/same_site.py _build/html _build/sphinx

.PHONY: notebooks
notebooks: env  ## run every notebook and keep the records: notebooks/ and figures/
	@$(STAGE) "records" $(BIN)/python -m sbd.records run --jobs 2
	@$(STAGE) "scoreboard" $(BIN)/python .ci/scoreboard.py

.PHONY: smoke
smoke: env  ## run every notebook on the smallest scale; minutes
	@$(STAGE) "smoke" $(BIN)/python -m sbd.records run --scale smoke --to _build/smoke

.PHONY: benchmark
benchmark: env  ## simulate all 17,955 images into data/benchmark; minutes, resumes
	$(BIN)/python book/measured/benchmark.py data/benchmark book/measured/benchmark.json --workers 2

.PHONY: bench
bench: env  ## measure the simulation against the naive way; minutes
	$(BIN)/python book/measured/bench.py book/measured/bench.json

.PHONY: speed
speed: env  ## time the networks against the published definition; minutes
	$(BIN)/python book/measured/speed.py book/measured/speed.json

.PHONY: budget
budget: env  ## measure the simulation's errors: sbd/assets/error_budget.csv; minutes
	$(BIN)/python -m sbd.companion.make.budget

.PHONY: recovery
recovery: env  ## match images whose parameters are known; half an hour, resumes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/recovery.py --count 12 --summary book/measured/recovery.json

# The first estimate was learnt on a GPU, in five minutes; two cores take a day for it.
.PHONY: weights
weights: env  ## simulate the benchmark and train the default weights; hours, resumes
	$(BIN)/sbd simulate data/benchmark --workers 2
	$(BIN)/sbd train data/benchmark data/pilot --channels 64 --steps 3200 --batch 64 \
	    --crop 160 --upright 0.5 --rate 2e-3 --seed 7 --bf16
	OMP_NUM_THREADS=1 $(BIN)/sbd train data/benchmark data/crystal --model CrystalUNet \
	    --pilot data/pilot/model.safetensors --channels 48 --steps 2000 --batch 8 \
	    --crop 160 --upright 0.5 --rate 1.5e-3 --seed 201 --workers 2 --bf16 --device cpu
	OMP_NUM_THREADS=1 $(BIN)/sbd train data/benchmark data/again --steps 900 --batch 8 \
	    --start data/crystal/model.safetensors --pilot data/crystal/model.safetensors \
	    --crop 160 --upright 0.5 --rate 8e-4 --seed 202 --workers 2 --bf16 --device cpu
	commit=$$(git rev-parse HEAD); $(BIN)/python -m sbd.companion.make.weights data/benchmark \
	    data/pilot $$commit data/crystal $$commit data/again $$commit

.PHONY: robust
robust: env  ## go on with the default weights on images of other microscopes; an hour, resumes
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.varied simulate data/benchmark data/varied
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.varied train data/benchmark data/varied \
	    data/robust
	$(BIN)/python -m sbd.companion.make.weights data/benchmark sbd/assets/weights/default.json - \
	    data/robust $$(git rev-parse HEAD) --name robust

.PHONY: gold
gold: env  ## simulate gold at 200 kV and train a network on it, from files alone; resumes
	$(BIN)/python -m sbd.companion.make.gold write data/gold
	OMP_NUM_THREADS=1 $(BIN)/sbd simulate data/gold/images --workers 2 \
	    --structures data/gold/train/*.xyz --held-out data/gold/held-out/*.xyz \
	    --microscope data/gold/optics.json --tilts 0,0 1.5,0 0,1.5 \
	    --defoci -75 -70 -65 -60 -55 -50 -45 -40 -35 -30
	OMP_NUM_THREADS=1 $(BIN)/sbd train data/gold/images data/gold/pilot --steps 1500 \
	    --workers 1 --bf16 --device cpu
	OMP_NUM_THREADS=1 $(BIN)/sbd train data/gold/images data/gold/crystal --steps 500 \
	    --model CrystalUNet --pilot data/gold/pilot/model.safetensors --crop 144 \
	    --upright 0.3 --batch 8 --workers 1 --bf16 --device cpu
	$(BIN)/python -m sbd.companion.make.gold pack data/gold $$(git rev-parse HEAD)

.PHONY: live
live: env  ## make what the page that denoises in the browser loads, and time it; minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.live
	$(MAKE) site
	$(BIN)/python book/measured/live.py book/measured/live.json

.PHONY: choosing
choosing: env  ## measure what choosing on the recording itself wins; half an hour
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/choosing.py data/benchmark \
	    book/measured/choosing.json

.PHONY: slips
slips: env  ## measure what slips of a recording cost, and what is won back; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/slips.py book/measured/slips.json

.PHONY: studies
studies: env  ## train the small networks of the studies and pack them; hours, resumes
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.studies data/benchmark data/studies
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.studies data/benchmark data/studies \
	    --pack $$(git rev-parse HEAD)

.PHONY: doses
doses: env  ## compare the default weights with weights taught one dose; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/doses.py data/benchmark data/studies \
	    book/measured/doses.json

.PHONY: throughput
throughput: env  ## measure what each trick of training is worth; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/throughput.py data/benchmark \
	    book/measured/throughput.json

.PHONY: kept-out
kept-out: env  ## keep kinds of specimen from small networks, and test them on those; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/kept_out.py data/benchmark \
	    book/measured/kept_out.json

.PHONY: score
score: env  ## score the default weights on images they never learnt from; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/score.py data/benchmark --to book/measured/score.json

.PHONY: robustness
robustness: env  ## score both weights on what the benchmark lacks; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/robustness.py data/benchmark \
	    book/measured/robustness.json

.PHONY: gpu
gpu: env  ## on a machine with CUDA: tests, times, notebooks, the paper's network; minutes
	$(BIN)/python book/measured/gpu.py data/gpu book/measured/gpu.json --minutes $(or $(MINUTES),7)

.PHONY: methods
methods: env  ## compare all methods on the regenerated test images; two hours, resumes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/methods.py data/benchmark data/methods \
	    book/measured/methods.json

.PHONY: leaderboard
leaderboard: env  ## score every denoiser as sbd score does; minutes, after benchmark, resumes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/leaderboard.py data/benchmark data/leaderboard

.PHONY: likelihood
likelihood: env  ## time the likelihood map against a plain reading of the method; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/likelihood.py book/measured/likelihood.json

.PHONY: inventions
inventions: env  ## measure whether the likelihood map finds invented columns; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/inventions.py book/measured/inventions.json

.PHONY: jacobian
jacobian: env  ## time many rows of the Jacobian against separate calls; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/jacobian.py book/measured/jacobian.json

.PHONY: significance
significance: env  ## measure that probabilities of columns are what they say; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/significance.py book/measured/significance.json

.PHONY: eraser
eraser: env  ## train the network that tells an image without a column; hours, resumes
	$(BIN)/python -m sbd.companion.make.eraser data/eraser

.PHONY: erased
erased: env  ## measure the test against the image without the column; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/eraser.py book/measured/eraser.json

.PHONY: unlabelled
unlabelled: env  ## find the specimens of the authors' images without a label; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/specimens.py book/measured/specimens.json

.PHONY: optics
optics: env  ## say how well the authors' images determine the microscope; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/optics.py book/measured/optics.json

.PHONY: recorded
recorded: env  ## measure p-values on recorded electrons; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/vacuum_counts.py book/measured/vacuum_counts.json

.PHONY: tune
tune: env  ## tune the classical denoisers: sbd/assets/tuned.json; minutes, resumes
	OMP_NUM_THREADS=1 $(BIN)/python -m sbd.companion.make.tune data/benchmark

.PHONY: scenes
scenes: env  ## choose the bundled test images again and print their digests
	$(BIN)/python -m sbd.companion.make.held_out data/benchmark

.PHONY: audit
audit: env  ## count columns lost and invented over the test split; minutes, after benchmark
	$(BIN)/python book/measured/audit.py data/benchmark

.PHONY: challenge
challenge: env  ## let denoisers lose and invent columns, and judge them; hours, resumes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/challenge.py data/challenge --workers 2

.PHONY: ranking
ranking: env  ## test rankings without truth where the truth is known; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/ranking.py book/measured/ranking.json

.PHONY: files
files: env  ## read, and damage and read, recordings of other people; an hour
	$(BIN)/python book/measured/recordings.py data/packages book/measured/recordings.json
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/fuzz.py data/packages book/measured/fuzz.json

.PHONY: large
large: env  ## time the commands on large images, and see their memory; minutes
	$(BIN)/python book/measured/large.py book/measured/large.json

.PHONY: rivals
rivals: env  ## score the classical denoisers where the truth is known; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/rivals.py book/measured/rivals.json

.PHONY: purelet
purelet: env  ## time PURE-LET against an FFT and try it on photographs; minutes
	OMP_NUM_THREADS=1 $(BIN)/python book/measured/purelet.py book/measured/purelet.json

.PHONY: assets
assets: env  ## simulate the bundled micrograph again and print its digest
	$(BIN)/python -m sbd.companion.make.assets

# --- the checks

.PHONY: test
test: env  ## run the tests, then every notebook against its record
	@$(STAGE) "tests" $(BIN)/python -m pytest $(PARALLEL) -m "not site"
	@$(MAKE) --no-print-directory figures

.PHONY: figures
figures: env  ## run every notebook against its record (SBD_ONLY_BUNDLED=1: as if offline)
	@$(STAGE) "figures" env OMP_NUM_THREADS=1 \
	    $(BIN)/python -m pytest $(PARALLEL) --nbval --nbval-current-env notebooks/

.PHONY: check
check: env  ## look for what is malformed or out of date; seconds
	@$(STAGE) "lint" $(BIN)/ruff check .
	@$(STAGE) "format" $(BIN)/ruff format --check .
	@$(STAGE) "environment" $(PIP) check
	@$(STAGE) "layers" $(BIN)/lint-imports
	@$(STAGE) "project" $(BIN)/python -m pytest -q tests/test_project.py tests/test_architecture.py
	@$(STAGE) "address" $(BIN)/python .ci/repository.py --check
	@$(STAGE) "scoreboard" $(BIN)/python .ci/scoreboard.py --check
	@$(STAGE) "records" $(BIN)/python -m sbd.records check
	@$(STAGE) "measured" $(BIN)/python -m sbd.companion.freshness check

.PHONY: mutations
mutations: env  ## break the library on purpose: every figure must turn red; minutes
	@$(STAGE) "mutations" $(BIN)/python .ci/mutations.py

.PHONY: colab
colab:  ## rehearse the notebooks' set-up cell at Colab's versions (PYTHON=python3.13); minutes, 6 GB
	@$(STAGE) "colab" $(PYTHON) .ci/colab.py _build/colab --python $(PYTHON) --scale smoke

# --- the rest

.PHONY: repository
repository: env  ## write the repository's address everywhere (URL=https://github.com/owner/name)
	$(BIN)/python .ci/repository.py "$(URL)"

.PHONY: crate
crate: env  ## write ro-crate-metadata.json: what is here and what was made of what
	$(BIN)/python .ci/crate.py

.PHONY: clean
clean:  ## remove what was built; .venv and downloaded data stay
	rm -rf _build book/notebooks book/figures .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
