# Every command sets up what it needs. `make` prints the commands and these variables:
#: PYTHON=python3.12           the Python to set up with, 3.11 to 3.13 (python3)
#: TORCH=cpu                   PyTorch without CUDA, from its own index: 2 GB, not 7; pypi: with CUDA
#: LATEST=1                    the newest versions that requirements.txt allows; 0: requirements.lock
#: BUDGET=smoke|slow|cpu|t4|gpu  how much to train (by default what this machine can do)
#: NET=resnet NPROC=2           what make train trains, and in how many processes
#: FASHION_MNIST_ROOT=FOLDER   a folder that holds FashionMNIST/raw
PYTHON ?= python3
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup run book pdf serve links publish outputs colab bench train test formulas figures clean

help:  ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo; echo "Variables, as in make run BUDGET=smoke; PYTHON, TORCH and LATEST hold until changed:"
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

setup:  ## Make .venv with the versions of requirements.lock (again only when they change)
	@$(PYTHON) tools/environment.py

run: setup  ## Get the data, execute the chapters here, build the site: the main job
	@$(RUN) -m tools.run
	@$(RUN) -m tools.book --own

book: setup  ## Build the site from the published outputs; nothing is executed
	@$(RUN) -m tools.book

pdf: setup  ## Build the PDF from the published outputs; needs TeX
	@$(RUN) -m tools.pdf

serve: setup  ## Show the site while you write, at http://localhost:8000 (PORT=8001 for another port)
	@$(RUN) -m tools.serve $(if $(PORT),--port $(PORT))

links: setup  ## Try every link to another site
	@$(RUN) -m tools.book --links

publish: setup  ## Write chapters/*.ipynb; a chapter whose code changed needs `make run` first
	@$(RUN) -m tools.publish

outputs: setup  ## List the kept outputs, and which chapters agree with them
	@$(RUN) -m tools.outputs --own

colab: setup  ## Execute the published notebooks with Colab's versions, in an empty folder
	@$(RUN) -m tools.colab

bench: setup  ## Race against other loops and the limits: RACES="epochs limit" for some
	@$(RUN) -m benchmarks.bench $(RACES)

train: setup  ## Train one chapter's network in several processes: NET=resnet NPROC=2
	@TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 $(RUN) -m torch.distributed.run --standalone --local-addr=127.0.0.1 \
		--nproc-per-node=$(or $(NPROC),2) -m tools.train $(or $(NET),resnet)

test: setup  ## Run all tests
	@$(RUN) -m pytest -q -n 2 tests

formulas: setup  ## List each equation with its cell, check and test
	@$(RUN) -m tools.formulas

figures: setup  ## Draw the figures anew
	@$(RUN) -m figures

clean:  ## Remove what was built; this machine's runs, data and .venv stay
	find _build -mindepth 1 -maxdepth 1 ! -name outputs -exec rm -rf {} + 2>/dev/null || true
	rm -rf .pytest_cache .hypothesis .ruff_cache
	@echo "The runs of this machine stay in _build/outputs; delete that folder to lose them."
