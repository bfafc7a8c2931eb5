"""The operator: SageMaker jobs that Kubernetes objects ask for. An optional part; nothing imports it at start."""
