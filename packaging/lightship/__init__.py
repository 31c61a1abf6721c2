"""Lightship takes a trained model from a notebook to production on AWS Lambda."""
