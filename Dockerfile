# The operator's image: docker build -t REGISTRY/kubectl-sagemaker . && docker push REGISTRY/kubectl-sagemaker
FROM python:3.12-slim
COPY . /src
RUN python -m pip install --no-cache-dir --disable-pip-version-check "/src[operator]" && rm -rf /src
USER 65532:65532
ENTRYPOINT ["kubectl-sagemaker"]
CMD ["operator", "run"]
