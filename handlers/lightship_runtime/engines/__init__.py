"""The engines: each module opens one kind of model files as an `Engine`."""
