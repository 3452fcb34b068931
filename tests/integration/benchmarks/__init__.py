"""Tests of the benchmark that need a server."""
