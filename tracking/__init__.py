"""The record: journals, and MLflow brought to what they say."""
