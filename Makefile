# Two commands on a bare Debian or Ubuntu, as root: `make demo` shows the main job, `make test` proves it.
# Both set up first whatever is missing: Debian packages and a virtual environment in .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export DEBIAN_FRONTEND := noninteractive

# command:package; the package is installed when the command is not there
PROGRAMS := keepalived:keepalived ip:iproute2 sysctl:procps nft:nftables tcpdump:tcpdump ping:iputils-ping bird:bird2 vtysh:frr
VENV := .venv
PYTHON := $(VENV)/bin/python
# A virtual environment cannot be moved or copied: the stamp names the place it was made for.
STAMP := $(VENV)/ready-$(shell pwd | cksum | cut -d' ' -f1)

.PHONY: help setup packages demo test check unit lab fix golden reference lock bench image-check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: packages $(STAMP)  ## install what is missing: packages (as root) and .venv

packages:
	@export PATH="$$PATH:/usr/sbin:/sbin"
	wanted=()
	for pair in $(PROGRAMS); do
		command -v "$${pair%%:*}" >/dev/null || wanted+=("$${pair##*:}")
	done
	if [ ! -e $(STAMP) ] && ! $(FIND_PYTHON) >/dev/null; then wanted+=(python3 python3-venv); fi
	command -v kubectl >/dev/null || wanted+=(kubernetes-client)
	command -v gobgpd >/dev/null || wanted+=(gobgpd)
	[ $${#wanted[@]} -gt 0 ] || exit 0
	if [ "$$(id -u)" != 0 ]; then
		echo "make: missing: $${wanted[*]}. Run this as root, or install them first." >&2
		exit 1
	fi
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $$policy ]; then  # installed daemons must not start by themselves
		trap 'rm -f '$$policy EXIT
		printf '#!/bin/sh\nexit 101\n' > $$policy
		chmod 755 $$policy
	fi
	apt-get -qq update
	available=()
	for package in "$${wanted[@]}"; do  # Ubuntu has no kubernetes-client; only a few tests use kubectl
		if [ "$$package" = gobgpd ]; then /bin/sh vipmgr/node/bgp/install-gobgpd.sh
		elif apt-cache show "$$package" >/dev/null 2>&1; then available+=("$$package")
		else echo "make: no package $$package here; going on without" >&2; fi
	done
	[ $${#available[@]} -eq 0 ] || apt-get -qq install -y --no-install-recommends "$${available[@]}" >/dev/null

# Prints the first Python from 3.11 up that can make virtual environments; fails when there is none.
define FIND_PYTHON
( for one in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
	path=$$(command -v $$one) || continue; \
	"$$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	echo "$$path"; exit 0; done; exit 1 )
endef

$(STAMP): requirements.lock pyproject.toml | packages
	@python=$$( $(FIND_PYTHON) ) || {
		echo "make: vipmgr needs Python 3.11 or newer with venv (Debian 12, Ubuntu 24.04 and later have it)." >&2
		exit 1
	}
	if ! $(PYTHON) -m pip --version >/dev/null 2>&1 || ! grep -qF "$$PWD/$(VENV)" $(VENV)/pyvenv.cfg; then
		echo "setting up $(VENV) with $$("$$python" --version)"
		"$$python" -m venv --clear $(VENV)
	fi
	$(PYTHON) -m pip install -q -r requirements.lock
	$(PYTHON) -m pip install -q --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: setup  ## the main job on this machine: VIPs move between three nodes, with measured outages (root)
	@$(PYTHON) -m vipmgr lab demo

test: check unit lab  ## all checks and all tests (root)

check: setup  ## format, lint, types, import contracts
	@$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports

unit: setup  ## the tests that may run side by side
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile -m "not lab"

lab: setup  ## the tests in network namespaces with real keepalived (root)
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile -m lab

fix: setup  ## format, and repair what the linter can
	@$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

golden: setup  ## write the golden files anew; read the diff before you commit it
	@$(PYTHON) -m tests.core.golden_cases

reference: setup  ## write docs/reference.md anew from manifests/crds
	@$(PYTHON) docs/reference.py > docs/reference.md

lock:  ## write requirements.lock anew from pyproject.toml, with the newest versions
	@folder=$$(mktemp -d)
	trap 'rm -rf "$$folder"' EXIT
	python=$$( $(FIND_PYTHON) )
	"$$python" -m venv "$$folder"
	"$$folder/bin/pip" install -q --upgrade pip
	"$$folder/bin/pip" install -q '.[lab]' --group dev hatchling editables
	{ echo "# Every package of .venv, exactly as tested; written by \`make lock\`."
	  "$$folder/bin/pip" freeze --exclude vipmgr; } > requirements.lock

bench: setup  ## measure; prints the tables that README quotes (root)
	@for one in bench/*.py; do $(PYTHON) $$one; done

image-check: setup  ## do the steps of the Dockerfile in a Debian root made by debootstrap (root)
	@$(PYTHON) tests/image/build.py

clean:  ## remove everything make made in this folder
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
