"""kubectl plugins for Amazon SageMaker jobs that run as Kubernetes custom resources."""
