"""CDK constructs that deploy a Lightship release."""
