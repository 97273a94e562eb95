# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help run build build-release unit test check bench fmt lint coverage package package-arm64 image image-arm64 arm64 clean

JOBS ?= $(shell nproc)
# Of ctest: cmake/LatticeModule.cmake.
SLOTS = $(shell expr 4 \* $(JOBS))
ARGS ?=

help:
	@echo 'make run       install what is missing, build, serve the etcd v3 API on 127.0.0.1:2379 (SQLite)'
	@echo 'make test      install, build and run every test (asan, tsan, release)'
	@echo 'make build     the release binary: build/release/lattice'
	@echo 'make unit      the module tests under ASan and UBSan, without databases'
	@echo 'make check     make test, TSan on everything, clang-tidy on every file, the fuzzers at length'
	@echo 'make bench     measure beside etcd and kine'
	@echo 'make fmt       format the sources'
	@echo 'make lint      formatting, clang-tidy and the rules of the tree'
	@echo 'make coverage  line coverage of the module tests'
	@echo 'make package   the Debian package: build/lattice_VERSION_ARCHITECTURE.deb'
	@echo 'make package-arm64  the Debian package with a cross-compiled binary'
	@echo 'make image     the container image lattice:latest (ENGINE=docker, or buildah)'
	@echo 'make arm64     the binary for arm64, cross-compiled: build/arm64/lattice'
	@echo 'make image-arm64  the image lattice:latest-arm64, with a cross-compiled binary (as make image)'
	@echo 'make clean     remove the build folder'

run:
	@scripts/install.sh build run
	@$(MAKE) --no-print-directory binary
	@echo
	@echo 'Once it says that it is listening, type in another terminal:'
	@echo
	@echo '    etcdctl put greeting hello && etcdctl get greeting'
	@echo
	@exec build/release/lattice start $(ARGS)

build build-release:
	@scripts/install.sh build
	@$(MAKE) --no-print-directory binary

# The release binary, without looking at packages.
.PHONY: binary
binary:
	@cmake --preset release --log-level=WARNING -DLATTICE_TESTS=$(if $(wildcard /usr/include/doctest/doctest.h),ON,OFF)
	@cmake --build --preset release --parallel $(JOBS) --target lattice

unit:
	@scripts/install.sh build test
	@cmake --preset asan --log-level=WARNING
	@cmake --build --preset asan --parallel $(JOBS)
	@ctest --test-dir build/asan --label-regex unit --parallel $(SLOTS) --output-on-failure

test:
	@scripts/test.sh

check:
	@scripts/test.sh --full

bench:
	@scripts/install.sh build run test
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --parallel $(JOBS)
	@bench/run.py $(ARGS)

fmt:
	@scripts/install.sh lint
	@scripts/format.sh --write

lint:
	@scripts/install.sh build test lint
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --parallel $(JOBS) --target lattice_proto
	@scripts/format.sh
	@tests/tidy/tidy.py
	@scripts/clang-tidy.sh --all

coverage:
	@scripts/install.sh build test tools
	@cmake --preset coverage --log-level=WARNING
	@cmake --build --preset coverage --parallel $(JOBS)
	@ctest --test-dir build/coverage --label-regex 'unit|postgres|redis' --parallel $(SLOTS) --output-on-failure
	@gcovr --root . --filter src/ --exclude-throw-branches --print-summary build/coverage

package:
	@scripts/install.sh build deploy
	@$(MAKE) --no-print-directory binary
	@deploy/debian/build.sh build/release/lattice build

package-arm64: arm64
	@scripts/install.sh deploy
	@deploy/debian/build.sh build/arm64/lattice build arm64

ENGINE ?= docker
image:
	@$(ENGINE) build --file docker/Dockerfile --tag lattice:latest \
	  --build-arg REVISION=$(shell git rev-parse --short HEAD) .

# A folder of arm64 libraries, a cross compiler, and nothing that is emulated.
arm64:
	@scripts/install.sh build arm64
	@scripts/arm64-root.sh build/arm64-root
	@cmake --preset arm64 --log-level=WARNING
	@cmake --build --preset arm64 --parallel $(JOBS) --target lattice

# BUILDPLATFORM is what docker sets by itself, and buildah does not.
image-arm64:
	@$(ENGINE) build --file docker/Dockerfile --tag lattice:latest-arm64 --platform linux/arm64 \
	  --build-arg BUILDPLATFORM=linux/$(shell dpkg --print-architecture) --build-arg REVISION=$(shell git rev-parse --short HEAD) .

clean:
	@rm -rf build
