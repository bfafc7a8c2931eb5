"""The embedded Kubernetes API and AWS endpoints that the demo, the tests and a laptop run on."""
