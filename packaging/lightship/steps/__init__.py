"""The steps of packaging, a module each; `lightship.pipeline` lists them in their order."""
