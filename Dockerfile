# The operator's image: docker build -t REGISTRY/kubectl-sagemaker . && docker push REGISTRY/kubectl-sagemaker
FROM python:3.12-slim
# What the wheel is made of, and nothing else of a checkout, whose .venv and .git would stay in the image's layers.
COPY LICENSE README.md pyproject.toml /src/
COPY kubectl_sagemaker /src/kubectl_sagemaker
RUN python -m pip install --no-cache-dir --disable-pip-version-check "/src[operator]" && rm -rf /src
USER 65532:65532
ENTRYPOINT ["kubectl-sagemaker"]
CMD ["operator", "run"]
