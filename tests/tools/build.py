#!/usr/bin/python3
"""Builds the programs in Go that several tests share, so that none of them waits for it. Does nothing without Go, as they do."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import tools  # noqa: E402

if tools.have_go():
    for name in ("etcd", "etcdctl"):
        tools.build_go(name)
    tools.build_own("tests/deploy/tools", "objects")
