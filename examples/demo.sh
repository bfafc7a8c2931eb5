#!/bin/sh
# A SageMaker job from Kubernetes, in the embedded sandbox, through the kubectl of PATH: applied, seen, followed, deleted.
set -eu
cd "$(dirname "$0")/xgboost-mnist"
exec kubectl sagemaker sandbox --empty -- sh -c '
run() { printf "\n\033[1m$ %s\033[0m\n" "$*"; "$@"; }
run kubectl apply -f train.yaml
run kubectl get trainingjob
run kubectl smlogs trainingjob xgboost-mnist -f
run kubectl get trainingjob
run kubectl describe trainingjob xgboost-mnist
run kubectl sagemaker status
run kubectl delete -f train.yaml
'
