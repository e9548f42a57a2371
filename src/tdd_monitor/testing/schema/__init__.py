"""The tables that tests declare: their DDL, templates and cache."""
