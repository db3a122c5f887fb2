"""Observing: what a model computes where, as traces, provenance, pages and plots; what a refused program needs."""
