# Weir's front door. meson and ninja do the work (tools/tree says which build trees there are);
# this file gives the few commands one needs their names. Each installs what it misses first.

.DEFAULT_GOAL := build

prefix       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 60
DEMO_SECONDS ?=
PYTHON       := /usr/bin/python3

.PHONY: build debug asan tsan coverage fuzz test demo bench interop ratchet-record lint format install clean help
# Targets share the build trees: never two at once.
.NOTPARALLEL:

build: ## build/weir, optimised
	@tools/setup build
	@tools/tree release weir

debug: ## build-debug: no optimiser, the books are checked at every turn
	@tools/setup build
	@tools/tree debug

asan: ## build-asan: address and undefined-behaviour sanitizers
	@tools/setup build
	@tools/tree asan

tsan: ## build-tsan: thread sanitizer
	@tools/setup build
	@tools/tree tsan

test: ## set up and run every test; the last line is 'N passed, N failed[, N skipped]'
	@tools/setup build test lint
	@$(PYTHON) tools/test

demo: ## a streaming service behind weir, and what weir sees of it [DEMO_SECONDS=N]
	@tools/setup build demo
	@tools/tree release weir
	@DEMO_SECONDS='$(DEMO_SECONDS)' tools/demo

bench: ## the benchmarks' tables
	@tools/setup build test bench
	@tools/tree release
	@bench/run

interop: ## real clients in other languages, on their own
	@tools/setup build test
	@tools/tree release
	@tests/interop/run

fuzz: ## every fuzz target [FUZZ_SECONDS=N each] [TARGET=name]; findings are kept in fuzz-work/
	@tools/setup build test
	@tools/tree fuzz
	@tools/fuzz --seconds $(FUZZ_SECONDS) $(TARGET)

ratchet-record: ## record what a message costs now, in tests/ratchet/ratchet.txt
	@tools/setup build test
	@tools/tree release
	@$(PYTHON) tests/ratchet/ratchet_test.py build/weir build/tests/ratchet/ratchet_bare \
		build/tests/ratchet/ratchet_load --record

lint: ## formatting, layers, cycles of calls, clang-tidy, shellcheck
	@tools/setup build test lint
	@tools/lint

format: ## rewrite the C sources in the project's format
	@tools/setup lint
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

coverage: ## line coverage of the tests, in build-coverage/coverage/
	@tools/setup build test lint
	@tools/tree coverage
	@meson test -C build-coverage --no-rebuild -t 3 --no-suite tools --no-suite bench </dev/null
	@mkdir -p build-coverage/coverage
	@gcovr --gcov-ignore-parse-errors --root . --filter src/ --exclude '.*_(test|fuzz)\.c' --print-summary \
		--html-details build-coverage/coverage/index.html build-coverage

install: ## install weir [prefix=/usr/local] [DESTDIR=]
	@tools/setup build
	@tools/tree release weir
	install -d '$(DESTDIR)$(prefix)/bin'
	install -s -m 755 build/weir '$(DESTDIR)$(prefix)/bin/weir'

clean: ## remove every build tree
	rm -rf build build-debug build-asan build-tsan build-coverage build-fuzz fuzz-work

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' Makefile | expand -t 16
