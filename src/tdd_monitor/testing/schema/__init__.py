"""Declared schemas: DDL, templates and cache."""
